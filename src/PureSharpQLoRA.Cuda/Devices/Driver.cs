using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>
/// The functions of the NVIDIA driver that are used, by their names in the CUDA driver API: the one place where native code is called. They are
/// found through a resolver, so that tests can put another driver in their place.
/// </summary>
internal sealed unsafe class Driver
{
    public const int ErrorOutOfMemory = 2;
    private const int ErrorNoDevice = 100;

    // CUDA_ERROR_ILLEGAL_ADDRESS to CUDA_ERROR_LAUNCH_FAILED.
    private const int FirstKernelError = 700;
    private const int LastKernelError = 719;

    private readonly delegate* unmanaged<uint, int> _init;
    private readonly delegate* unmanaged<int*, int> _driverGetVersion;
    private readonly delegate* unmanaged<int*, int> _deviceGetCount;
    private readonly delegate* unmanaged<int*, int, int> _deviceGet;
    private readonly delegate* unmanaged<byte*, int, int, int> _deviceGetName;
    private readonly delegate* unmanaged<int*, int, int, int> _deviceGetAttribute;
    private readonly delegate* unmanaged<nuint*, int, int> _deviceTotalMemory;
    private readonly delegate* unmanaged<nint*, int, int> _primaryContextRetain;
    private readonly delegate* unmanaged<int, int> _primaryContextRelease;
    private readonly delegate* unmanaged<nint, int> _contextSetCurrent;
    private readonly delegate* unmanaged<nuint*, nuint*, int> _memoryGetInfo;
    private readonly delegate* unmanaged<nint*, nuint, int> _memoryAllocate;
    private readonly delegate* unmanaged<nint, int> _memoryFree;
    private readonly delegate* unmanaged<nint*, nuint, uint, int> _hostAllocate;
    private readonly delegate* unmanaged<nint, int> _hostFree;
    private readonly delegate* unmanaged<nint, nint, nuint, nint, int> _copyToDevice;
    private readonly delegate* unmanaged<nint, nint, nuint, nint, int> _copyToHost;
    private readonly delegate* unmanaged<nint, nint, nuint, nint, int> _copyOnDevice;
    private readonly delegate* unmanaged<nint, byte, nuint, nint, int> _fill;
    private readonly delegate* unmanaged<nint*, uint, int> _streamCreate;
    private readonly delegate* unmanaged<nint, int> _streamSynchronize;
    private readonly delegate* unmanaged<nint, int> _streamDestroy;
    private readonly delegate* unmanaged<nint*, uint, int> _eventCreate;
    private readonly delegate* unmanaged<nint, nint, int> _eventRecord;
    private readonly delegate* unmanaged<nint, int> _eventSynchronize;
    private readonly delegate* unmanaged<float*, nint, nint, int> _eventElapsedTime;
    private readonly delegate* unmanaged<nint, int> _eventDestroy;
    private readonly delegate* unmanaged<nint*, byte*, uint, int*, void**, int> _moduleLoad;
    private readonly delegate* unmanaged<nint*, nint, byte*, int> _moduleGetFunction;
    private readonly delegate* unmanaged<nint, int> _moduleUnload;
    private readonly delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int> _launchKernel;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorName;
    private readonly delegate* unmanaged<int, byte**, int> _getErrorString;

    /// <summary>Binds all functions.</summary>
    /// <param name="resolve">The address of an exported function.</param>
    public Driver(Func<string, nint> resolve)
    {
        _init = (delegate* unmanaged<uint, int>)resolve("cuInit");
        _driverGetVersion = (delegate* unmanaged<int*, int>)resolve("cuDriverGetVersion");
        _deviceGetCount = (delegate* unmanaged<int*, int>)resolve("cuDeviceGetCount");
        _deviceGet = (delegate* unmanaged<int*, int, int>)resolve("cuDeviceGet");
        _deviceGetName = (delegate* unmanaged<byte*, int, int, int>)resolve("cuDeviceGetName");
        _deviceGetAttribute = (delegate* unmanaged<int*, int, int, int>)resolve("cuDeviceGetAttribute");
        _deviceTotalMemory = (delegate* unmanaged<nuint*, int, int>)resolve("cuDeviceTotalMem_v2");
        _primaryContextRetain = (delegate* unmanaged<nint*, int, int>)resolve("cuDevicePrimaryCtxRetain");
        _primaryContextRelease = (delegate* unmanaged<int, int>)resolve("cuDevicePrimaryCtxRelease_v2");
        _contextSetCurrent = (delegate* unmanaged<nint, int>)resolve("cuCtxSetCurrent");
        _memoryGetInfo = (delegate* unmanaged<nuint*, nuint*, int>)resolve("cuMemGetInfo_v2");
        _memoryAllocate = (delegate* unmanaged<nint*, nuint, int>)resolve("cuMemAlloc_v2");
        _memoryFree = (delegate* unmanaged<nint, int>)resolve("cuMemFree_v2");
        _hostAllocate = (delegate* unmanaged<nint*, nuint, uint, int>)resolve("cuMemHostAlloc");
        _hostFree = (delegate* unmanaged<nint, int>)resolve("cuMemFreeHost");
        _copyToDevice = (delegate* unmanaged<nint, nint, nuint, nint, int>)resolve("cuMemcpyHtoDAsync_v2");
        _copyToHost = (delegate* unmanaged<nint, nint, nuint, nint, int>)resolve("cuMemcpyDtoHAsync_v2");
        _copyOnDevice = (delegate* unmanaged<nint, nint, nuint, nint, int>)resolve("cuMemcpyDtoDAsync_v2");
        _fill = (delegate* unmanaged<nint, byte, nuint, nint, int>)resolve("cuMemsetD8Async");
        _streamCreate = (delegate* unmanaged<nint*, uint, int>)resolve("cuStreamCreate");
        _streamSynchronize = (delegate* unmanaged<nint, int>)resolve("cuStreamSynchronize");
        _streamDestroy = (delegate* unmanaged<nint, int>)resolve("cuStreamDestroy_v2");
        _eventCreate = (delegate* unmanaged<nint*, uint, int>)resolve("cuEventCreate");
        _eventRecord = (delegate* unmanaged<nint, nint, int>)resolve("cuEventRecord");
        _eventSynchronize = (delegate* unmanaged<nint, int>)resolve("cuEventSynchronize");
        _eventElapsedTime = (delegate* unmanaged<float*, nint, nint, int>)resolve("cuEventElapsedTime");
        _eventDestroy = (delegate* unmanaged<nint, int>)resolve("cuEventDestroy_v2");
        _moduleLoad = (delegate* unmanaged<nint*, byte*, uint, int*, void**, int>)resolve("cuModuleLoadDataEx");
        _moduleGetFunction = (delegate* unmanaged<nint*, nint, byte*, int>)resolve("cuModuleGetFunction");
        _moduleUnload = (delegate* unmanaged<nint, int>)resolve("cuModuleUnload");
        _launchKernel = (delegate* unmanaged<nint, uint, uint, uint, uint, uint, uint, uint, nint, void**, void**, int>)resolve("cuLaunchKernel");
        _getErrorName = (delegate* unmanaged<int, byte**, int>)resolve("cuGetErrorName");
        _getErrorString = (delegate* unmanaged<int, byte**, int>)resolve("cuGetErrorString");
    }

    /// <summary>The newest CUDA version the driver serves: 1000 * major + 10 * minor.</summary>
    public int Version
    {
        get
        {
            int version;
            Check(_driverGetVersion(&version), "asking the driver for its version");
            return version;
        }
    }

    /// <summary>
    /// Whether a kernel failed on the card: from then on the driver refuses every call of this process, and gives everything back when it ends.
    /// </summary>
    public bool IsLost { get; private set; }

    /// <summary>Finds the driver that is installed here.</summary>
    /// <param name="driver">The driver, ready for use.</param>
    /// <param name="problem">Why there is none, in a line.</param>
    public static bool TryOpen([NotNullWhen(true)] out Driver? driver, [NotNullWhen(false)] out string? problem)
    {
        driver = null;
        string library = OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1";
        if (!NativeLibrary.TryLoad(library, out nint handle))
        {
            problem = $"No NVIDIA driver is installed ({library} was not found).";
            return false;
        }

        try
        {
            return TryInitialize(new Driver(name => NativeLibrary.GetExport(handle, name)), out driver, out problem);
        }
        catch (EntryPointNotFoundException e)
        {
            problem = $"The NVIDIA driver is too old: {e.Message}";
            return false;
        }
    }

    /// <summary>Starts a driver.</summary>
    internal static bool TryInitialize(Driver candidate, [NotNullWhen(true)] out Driver? driver, [NotNullWhen(false)] out string? problem)
    {
        int code = candidate._init(0);
        driver = code == 0 ? candidate : null;
        problem = code switch
        {
            0 => null,
            ErrorNoDevice => "The NVIDIA driver sees no card.",
            _ => $"The NVIDIA driver did not start: {candidate.Describe(code)}.",
        };
        return driver is not null;
    }

    public int DeviceCount()
    {
        int count;
        Check(_deviceGetCount(&count), "counting the cards");
        return count;
    }

    public int Device(int index)
    {
        int device;
        Check(_deviceGet(&device, index), "opening a card");
        return device;
    }

    public string DeviceName(int device)
    {
        byte* name = stackalloc byte[256];
        Check(_deviceGetName(name, 256, device), "asking for a card's name");
        return Marshal.PtrToStringUTF8((nint)name) ?? "";
    }

    public int DeviceAttribute(int device, DeviceAttribute attribute)
    {
        int value;
        Check(_deviceGetAttribute(&value, (int)attribute, device), "asking for a card's properties");
        return value;
    }

    public long DeviceMemory(int device)
    {
        nuint bytes;
        Check(_deviceTotalMemory(&bytes, device), "asking for a card's memory");
        return (long)bytes;
    }

    public nint RetainContext(int device)
    {
        nint context;
        Check(_primaryContextRetain(&context, device), "opening a context on the card");
        return context;
    }

    public void ReleaseContext(int device) => Check(_primaryContextRelease(device), "closing the context");

    public void UseContext(nint context) => Check(_contextSetCurrent(context), "using the context");

    /// <summary>Bytes of the current card that are free.</summary>
    public long FreeMemory()
    {
        nuint free, total;
        Check(_memoryGetInfo(&free, &total), "asking for free memory");
        return (long)free;
    }

    /// <summary>Allocates, or returns false where the card has no more.</summary>
    public bool TryAllocate(long bytes, out nint address)
    {
        nint result = 0;
        int code = _memoryAllocate(&result, (nuint)bytes);
        address = result;
        if (code == ErrorOutOfMemory)
        {
            return false;
        }

        Check(code, "allocating memory");
        return true;
    }

    public void Free(nint address) => Check(_memoryFree(address), "freeing memory");

    /// <summary>Page-locked memory of the host, which copies run from in the background.</summary>
    public nint AllocateHost(long bytes)
    {
        nint address;
        Check(_hostAllocate(&address, (nuint)bytes, 0), "allocating page-locked memory");
        return address;
    }

    public void FreeHost(nint address) => Check(_hostFree(address), "freeing page-locked memory");

    public void CopyToDevice(nint to, nint from, long bytes, nint stream) => Check(_copyToDevice(to, from, (nuint)bytes, stream), "copying to the card");

    public void CopyToHost(nint to, nint from, long bytes, nint stream) => Check(_copyToHost(to, from, (nuint)bytes, stream), "copying from the card");

    public void CopyOnDevice(nint to, nint from, long bytes, nint stream) => Check(_copyOnDevice(to, from, (nuint)bytes, stream), "copying on the card");

    public void Clear(nint address, long bytes, nint stream) => Check(_fill(address, 0, (nuint)bytes, stream), "clearing memory");

    public nint CreateStream()
    {
        // Not ordered against the default stream, which others in the process may use.
        const uint nonBlocking = 1;
        nint stream;
        Check(_streamCreate(&stream, nonBlocking), "creating a stream");
        return stream;
    }

    public void Synchronize(nint stream) => Check(_streamSynchronize(stream), "waiting for the card");

    public void DestroyStream(nint stream) => Check(_streamDestroy(stream), "destroying a stream");

    /// <summary>A mark in a stream.</summary>
    /// <param name="timed">Whether times between marks are wanted.</param>
    public nint CreateEvent(bool timed)
    {
        const uint disableTiming = 2;
        nint handle;
        Check(_eventCreate(&handle, timed ? 0 : disableTiming), "creating an event");
        return handle;
    }

    public void RecordEvent(nint handle, nint stream) => Check(_eventRecord(handle, stream), "recording an event");

    public void WaitForEvent(nint handle) => Check(_eventSynchronize(handle), "waiting for the card");

    /// <summary>Milliseconds between two recorded events that were waited for.</summary>
    public float ElapsedMilliseconds(nint start, nint end)
    {
        float milliseconds;
        Check(_eventElapsedTime(&milliseconds, start, end), "reading a time");
        return milliseconds;
    }

    public void DestroyEvent(nint handle) => Check(_eventDestroy(handle), "destroying an event");

    /// <summary>Has the driver assemble a kernel's PTX for the card.</summary>
    public nint LoadModule(string ptx, string name)
    {
        const int errorLogBuffer = 5, errorLogBufferBytes = 6, logBytes = 4096;
        byte* text = (byte*)Marshal.StringToCoTaskMemUTF8(ptx), log = stackalloc byte[logBytes];
        log[0] = 0;
        try
        {
            int* options = stackalloc int[] { errorLogBuffer, errorLogBufferBytes };
            void** values = stackalloc void*[] { log, (void*)logBytes };
            nint module;
            int code = _moduleLoad(&module, text, 2, options, values);
            string detail = code == 0 ? "" : (Marshal.PtrToStringUTF8((nint)log) ?? "").ReplaceLineEndings(" ").Trim();
            Check(code, detail.Length == 0 ? $"loading the kernel {name}" : $"loading the kernel {name} ({detail})");
            return module;
        }
        finally
        {
            Marshal.FreeCoTaskMem((nint)text);
        }
    }

    public nint Function(nint module, string entryPoint)
    {
        nint name = Marshal.StringToCoTaskMemUTF8(entryPoint), function;
        int code = _moduleGetFunction(&function, module, (byte*)name);
        Marshal.FreeCoTaskMem(name);
        Check(code, $"finding the entry point {entryPoint}");
        return function;
    }

    public void UnloadModule(nint module) => Check(_moduleUnload(module), "unloading a kernel");

    public void Launch(nint function, GridSize grid, int threads, nint stream, ReadOnlySpan<byte> arguments)
    {
        const int end = 0, bufferPointer = 1, bufferSize = 2;
        fixed (byte* buffer = arguments)
        {
            nuint bytes = (nuint)arguments.Length;
            void** extra = stackalloc void*[] { (void*)bufferPointer, buffer, (void*)bufferSize, &bytes, (void*)end };
            Check(_launchKernel(function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)threads, 1, 1, 0, stream, null, extra), "launching a kernel");
        }
    }

    private void Check(int code, string doing)
    {
        if (code != 0)
        {
            IsLost |= code is >= FirstKernelError and <= LastKernelError;
            throw new CudaException($"The NVIDIA driver failed while {doing}: {Describe(code)}.", code);
        }
    }

    private string Describe(int code)
    {
        byte* name = null, text = null;
        _ = _getErrorName(code, &name);
        _ = _getErrorString(code, &text);
        return $"{Marshal.PtrToStringUTF8((nint)name) ?? "error"} ({code}), {Marshal.PtrToStringUTF8((nint)text) ?? "no description"}";
    }
}
