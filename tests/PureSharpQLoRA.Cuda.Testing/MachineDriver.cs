using System.Runtime.InteropServices;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.PtxMachine;

namespace PureSharpQLoRA.Cuda.Testing;

/// <summary>
/// The driver API over the PTX machine: what the NVIDIA driver exports, as far as it is used, so that the code that calls it is executed without a
/// card. Streams run at once; handles, sizes and the form of a launch's arguments are checked. One lives at a time.
/// </summary>
public sealed unsafe class MachineDriver : IDisposable
{
    private const int Success = 0;
    private const int InvalidValue = 1;
    private const int OutOfMemory = 2;
    private const int InvalidPtx = 218;
    private const int InvalidHandle = 400;
    private const int LaunchFailed = 719;

    private static readonly SemaphoreSlim One = new(1);
    private static MachineDriver? s_current;

    private readonly Machine _machine = new();
    private readonly Dictionary<nint, object> _handles = [];
    private readonly Dictionary<nint, long> _blocks = [];
    private readonly Dictionary<nint, nint> _texts = [];
    private readonly byte[] _name;
    private nint _nextHandle = 0x1000;
    private int _pending;

    /// <summary>Takes the place of the driver until disposed.</summary>
    public MachineDriver(string cardName = "Machine T4", int computeCapability = 75)
    {
        One.Wait();
        _name = [.. System.Text.Encoding.UTF8.GetBytes(cardName), 0];
        ComputeCapability = computeCapability;
        s_current = this;
    }

    /// <summary>What the card answers.</summary>
    public int ComputeCapability { get; }

    /// <summary>What the driver answers, 1000 * major + 10 * minor.</summary>
    public int Version { get; init; } = 12040;

    /// <summary>How many cards there are.</summary>
    public int Cards { get; init; } = 1;

    /// <summary>What <c>cuInit</c> returns.</summary>
    public int InitResult { get; init; }

    /// <summary>The card's memory.</summary>
    public long MemoryBytes { get; init; } = 1L << 30;

    /// <summary>Device blocks, page-locked blocks, streams, events, modules and contexts that were not given back.</summary>
    public int Open => _handles.Count + _blocks.Count;

    private long Used => _blocks.Values.Sum();

    /// <summary>The cards it shows, asked through the driver API.</summary>
    public CudaDevices Find()
    {
        ObjectDisposedException.ThrowIf(s_current != this, this);
        return Driver.TryInitialize(new Driver(Resolve), out Driver? driver, out string? problem) ? CudaDevices.Of(driver) : CudaDevices.None(problem);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (nint text in _texts.Values)
        {
            Marshal.FreeCoTaskMem(text);
        }

        _machine.Dispose();
        s_current = null;
        One.Release();
    }

    private static nint Resolve(string name) => name switch
    {
        "cuInit" => (nint)(delegate* unmanaged<uint, int>)&Init,
        "cuDriverGetVersion" => (nint)(delegate* unmanaged<int*, int>)&DriverGetVersion,
        "cuDeviceGetCount" => (nint)(delegate* unmanaged<int*, int>)&DeviceGetCount,
        "cuDeviceGet" => (nint)(delegate* unmanaged<int*, int, int>)&DeviceGet,
        "cuDeviceGetName" => (nint)(delegate* unmanaged<byte*, int, int, int>)&DeviceGetName,
        "cuDeviceGetAttribute" => (nint)(delegate* unmanaged<int*, int, int, int>)&DeviceGetAttribute,
        "cuDeviceTotalMem_v2" => (nint)(delegate* unmanaged<nuint*, int, int>)&DeviceTotalMemory,
        "cuDevicePrimaryCtxRetain" => (nint)(delegate* unmanaged<nint*, int, int>)&ContextRetain,
        "cuDevicePrimaryCtxRelease_v2" => (nint)(delegate* unmanaged<int, int>)&ContextRelease,
        "cuCtxSetCurrent" => (nint)(delegate* unmanaged<nint, int>)&ContextSetCurrent,
        "cuMemGetInfo_v2" => (nint)(delegate* unmanaged<nuint*, nuint*, int>)&MemoryGetInfo,
        "cuMemAlloc_v2" => (nint)(delegate* unmanaged<nint*, nuint, int>)&MemoryAllocate,
        "cuMemFree_v2" => (nint)(delegate* unmanaged<nint, int>)&MemoryFree,
        "cuMemHostAlloc" => (nint)(delegate* unmanaged<nint*, nuint, uint, int>)&HostAllocate,
        "cuMemFreeHost" => (nint)(delegate* unmanaged<nint, int>)&HostFree,
        "cuMemcpyHtoDAsync_v2" => (nint)(delegate* unmanaged<nint, nint, nuint, nint, int>)&CopyToDevice,
        "cuMemcpyDtoHAsync_v2" => (nint)(delegate* unmanaged<nint, nint, nuint, nint, int>)&CopyToHost,
        "cuMemcpyDtoDAsync_v2" => (nint)(delegate* unmanaged<nint, nint, nuint, nint, int>)&CopyOnDevice,
        "cuMemsetD8Async" => (nint)(delegate* unmanaged<nint, byte, nuint, nint, int>)&Fill,
        "cuStreamCreate" or "cuEventCreate" => (nint)(delegate* unmanaged<nint*, uint, int>)&CreateHandle,
        "cuStreamSynchronize" => (nint)(delegate* unmanaged<nint, int>)&Synchronize,
        "cuEventSynchronize" => (nint)(delegate* unmanaged<nint, int>)&CheckHandle,
        "cuStreamDestroy_v2" or "cuEventDestroy_v2" or "cuModuleUnload" => (nint)(delegate* unmanaged<nint, int>)&DestroyHandle,
        "cuEventRecord" => (nint)(delegate* unmanaged<nint, nint, int>)&EventRecord,
        "cuEventElapsedTime" => (nint)(delegate* unmanaged<float*, nint, nint, int>)&EventElapsedTime,
        "cuModuleLoadDataEx" => (nint)(delegate* unmanaged<nint*, byte*, uint, int*, void**, int>)&ModuleLoad,
        "cuModuleGetFunction" => (nint)(delegate* unmanaged<nint*, nint, byte*, int>)&ModuleGetFunction,
        "cuLaunchKernel" => (nint)(delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)&LaunchKernel,
        "cuGetErrorName" or "cuGetErrorString" => (nint)(delegate* unmanaged<int, byte**, int>)&ErrorText,
        _ => throw new EntryPointNotFoundException(name),
    };

    [UnmanagedCallersOnly]
    private static int Init(uint flags) => s_current!.InitResult;

    [UnmanagedCallersOnly]
    private static int DriverGetVersion(int* version)
    {
        *version = s_current!.Version;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGetCount(int* count)
    {
        *count = s_current!.Cards;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGet(int* device, int index)
    {
        *device = 7 + index;
        return index < s_current!.Cards ? Success : InvalidValue;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGetName(byte* name, int length, int device)
    {
        s_current!._name.AsSpan(0, Math.Min(length, s_current._name.Length)).CopyTo(new Span<byte>(name, length));
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int DeviceGetAttribute(int* value, int attribute, int device)
    {
        *value = (DeviceAttribute)attribute switch
        {
            DeviceAttribute.Multiprocessors => 40,
            DeviceAttribute.ComputeCapabilityMajor => s_current!.ComputeCapability / 10,
            DeviceAttribute.ComputeCapabilityMinor => s_current!.ComputeCapability % 10,
            _ => 0,
        };
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int DeviceTotalMemory(nuint* bytes, int device)
    {
        *bytes = (nuint)s_current!.MemoryBytes;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int ContextRetain(nint* context, int device)
    {
        s_current!._handles[device] = "context";
        *context = device;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int ContextRelease(int device) => s_current!._handles.Remove(device) ? Success : InvalidHandle;

    [UnmanagedCallersOnly]
    private static int ContextSetCurrent(nint context) => s_current!._handles.ContainsKey(context) ? Success : InvalidHandle;

    [UnmanagedCallersOnly]
    private static int MemoryGetInfo(nuint* free, nuint* total)
    {
        *free = (nuint)(s_current!.MemoryBytes - s_current.Used);
        *total = (nuint)s_current.MemoryBytes;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int MemoryAllocate(nint* address, nuint bytes)
    {
        if (s_current!.Used + (long)bytes > s_current.MemoryBytes)
        {
            return OutOfMemory;
        }

        *address = (nint)s_current._machine.Allocate((long)bytes);
        s_current._blocks.Add(*address, (long)bytes);
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int MemoryFree(nint address)
    {
        if (!s_current!._blocks.Remove(address))
        {
            return InvalidValue;
        }

        s_current._machine.Free((ulong)address);
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int HostAllocate(nint* address, nuint bytes, uint flags)
    {
        *address = (nint)NativeMemory.Alloc(bytes);
        s_current!._handles.Add(*address, "page-locked memory");
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int HostFree(nint address)
    {
        if (!s_current!._handles.Remove(address))
        {
            return InvalidValue;
        }

        NativeMemory.Free((void*)address);
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int CopyToDevice(nint to, nint from, nuint bytes, nint stream) => Try(stream, () =>
        s_current!._machine.Write((ulong)to, new ReadOnlySpan<byte>((void*)from, (int)bytes)));

    [UnmanagedCallersOnly]
    private static int CopyToHost(nint to, nint from, nuint bytes, nint stream) => Try(stream, () =>
        s_current!._machine.Download((ulong)from, new Span<byte>((void*)to, (int)bytes)));

    [UnmanagedCallersOnly]
    private static int CopyOnDevice(nint to, nint from, nuint bytes, nint stream) => Try(stream, () =>
        s_current!._machine.Write<byte>((ulong)to, s_current._machine.Download<byte>((ulong)from, (int)bytes)));

    [UnmanagedCallersOnly]
    private static int Fill(nint address, byte value, nuint bytes, nint stream) => Try(stream, () => s_current!._machine.Fill((ulong)address, (int)bytes, value));

    [UnmanagedCallersOnly]
    private static int CreateHandle(nint* handle, uint flags)
    {
        *handle = s_current!.Add("stream or event");
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int CheckHandle(nint handle) => s_current!._handles.ContainsKey(handle) ? Success : InvalidHandle;

    [UnmanagedCallersOnly]
    private static int Synchronize(nint stream)
    {
        if (!s_current!._handles.ContainsKey(stream))
        {
            return InvalidHandle;
        }

        // As on a card: a kernel that failed is reported by the next call that waits.
        int code = s_current._pending;
        s_current._pending = Success;
        return code;
    }

    [UnmanagedCallersOnly]
    private static int DestroyHandle(nint handle) => s_current!._handles.Remove(handle) ? Success : InvalidHandle;

    [UnmanagedCallersOnly]
    private static int EventRecord(nint handle, nint stream) =>
        s_current!._handles.ContainsKey(handle) && s_current._handles.ContainsKey(stream) ? Success : InvalidHandle;

    [UnmanagedCallersOnly]
    private static int EventElapsedTime(float* milliseconds, nint start, nint end)
    {
        *milliseconds = 1;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int ModuleLoad(nint* module, byte* text, uint options, int* names, void** values)
    {
        try
        {
            *module = s_current!.Add(PtxModule.Parse(Marshal.PtrToStringUTF8((nint)text)!));
            return Success;
        }
        catch (PtxParseException e)
        {
            byte[] message = System.Text.Encoding.UTF8.GetBytes(e.Message);
            var log = new Span<byte>(values[0], (int)(nint)values[1]);
            int length = Math.Min(message.Length, log.Length - 1);
            message.AsSpan(0, length).CopyTo(log);
            log[length] = 0;
            return InvalidPtx;
        }
    }

    [UnmanagedCallersOnly]
    private static int ModuleGetFunction(nint* function, nint module, byte* name)
    {
        string entry = Marshal.PtrToStringUTF8((nint)name)!;
        if (s_current!._handles[module] is not PtxModule code || !code.Kernels.Any(kernel => kernel.Name == entry))
        {
            return InvalidValue;
        }

        *function = module;
        return Success;
    }

    [UnmanagedCallersOnly]
    private static int LaunchKernel(
        nint function, uint x, uint y, uint z, uint threadsX, uint threadsY, uint threadsZ, uint shared, nint stream, void** parameters, void** extra)
    {
        // CU_LAUNCH_PARAM_BUFFER_POINTER, its value, CU_LAUNCH_PARAM_BUFFER_SIZE, a pointer to its value, CU_LAUNCH_PARAM_END.
        if (parameters != null || (nint)extra[0] != 1 || (nint)extra[2] != 2 || extra[4] != null)
        {
            return InvalidValue;
        }

        var bytes = new ReadOnlySpan<byte>(extra[1], (int)*(nuint*)extra[3]).ToArray();
        var module = (PtxModule)s_current!._handles[function];
        int code = Try(stream, () => s_current._machine.LaunchPacked(
            module, module.Kernels.Single().Name, new Dim3((int)x, (int)y, (int)z), new Dim3((int)threadsX, (int)threadsY, (int)threadsZ), (int)shared, bytes));
        s_current._pending = code == LaunchFailed ? LaunchFailed : s_current._pending;
        return code == LaunchFailed ? Success : code;
    }

    [UnmanagedCallersOnly]
    private static int ErrorText(int code, byte** text)
    {
        if (!s_current!._texts.TryGetValue(code, out nint address))
        {
            s_current._texts.Add(code, address = Marshal.StringToCoTaskMemUTF8($"MACHINE_ERROR_{code}"));
        }

        *text = (byte*)address;
        return Success;
    }

    private static int Try(nint stream, Action action)
    {
        if (!s_current!._handles.ContainsKey(stream))
        {
            return InvalidHandle;
        }

        try
        {
            action();
            return Success;
        }
        catch (ArgumentException)
        {
            return InvalidValue;
        }
        catch (Exception e) when (e is PtxViolationException or PtxFaultException or PtxLaunchException)
        {
            return LaunchFailed;
        }
    }

    private nint Add(object content)
    {
        _handles.Add(_nextHandle, content);
        return _nextHandle++;
    }
}
