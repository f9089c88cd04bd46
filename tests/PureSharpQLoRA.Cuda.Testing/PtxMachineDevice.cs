using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.PtxMachine;

namespace PureSharpQLoRA.Cuda.Testing;

/// <summary>
/// Runs the backend's kernels on the PTX machine: what a card would be given, byte for byte, with every access checked. A violation, or a branch
/// marked uniform whose lanes disagree, is an exception at its launch.
/// </summary>
public sealed class PtxMachineDevice : IKernelDevice
{
    private static readonly ConditionalWeakTable<CompiledKernel, PtxModule> Modules = [];

    private readonly Machine _machine;
    private readonly List<LoadedKernel> _kernels = [];
    private long _allocated;

    /// <summary>A machine that stands for a card.</summary>
    /// <param name="computeCapability">75 or 80, say.</param>
    /// <param name="options">Its checks; null for all of them.</param>
    /// <param name="memoryBytes">Its memory.</param>
    public PtxMachineDevice(int computeCapability, MachineOptions? options = null, long memoryBytes = 8L << 30)
    {
        _machine = new Machine(options);
        Properties = new DeviceProperties($"PTX machine sm_{computeCapability}", computeCapability, Multiprocessors: 4, memoryBytes);
    }

    /// <inheritdoc/>
    public DeviceProperties Properties { get; }

    /// <inheritdoc/>
    public IDeviceAllocator HostMemory { get; } = new OrdinaryMemory();

    /// <inheritdoc/>
    public long FreeMemoryBytes => Properties.MemoryBytes - _allocated;

    /// <summary>Called after every launch, with what was launched and what it did.</summary>
    public Action<CompiledKernel, GridSize, LaunchReport>? Launched { get; set; }

    /// <inheritdoc/>
    public bool TryAllocate(long bytes, out nint address)
    {
        if (_allocated + bytes > Properties.MemoryBytes)
        {
            address = 0;
            return false;
        }

        _allocated += bytes;
        address = (nint)_machine.Allocate(bytes);
        return true;
    }

    /// <inheritdoc/>
    public void Free(nint address, long bytes)
    {
        _allocated -= bytes;
        _machine.Free((ulong)address);
    }

    /// <inheritdoc/>
    public nint Load(CompiledKernel kernel)
    {
        ArgumentNullException.ThrowIfNull(kernel);
        _kernels.Add(new LoadedKernel(kernel, Modules.GetValue(kernel, k => PtxModule.Parse(k.Ptx))));
        return _kernels.Count;
    }

    /// <inheritdoc/>
    public void Launch(nint kernel, GridSize grid, int threads, ReadOnlySpan<byte> arguments)
    {
        LoadedKernel loaded = _kernels[(int)kernel - 1];
        string name = loaded.Kernel.Key.Name;
        LaunchReport report;
        try
        {
            report = _machine.LaunchPacked(loaded.Module, loaded.Kernel.EntryPoint, new Dim3(grid.X, grid.Y, grid.Z), threads, 0, arguments);
        }
        catch (Exception e) when (e is PtxViolationException or PtxFaultException or PtxLaunchException)
        {
            throw new InvalidOperationException($"{name}, grid {grid}: {e.Message}", e);
        }

        if (report.DivergentUniformBranches > 0)
        {
            throw new InvalidOperationException(FormattableString.Invariant($"{name}: {report.DivergentUniformBranches} branches marked uniform diverged."));
        }

        Launched?.Invoke(loaded.Kernel, grid, report);
    }

    /// <inheritdoc/>
    public void CopyToDevice(ReadOnlySpan<byte> source, nint to) => _machine.Write((ulong)to, source);

    /// <inheritdoc/>
    public void CopyToHost(nint from, Span<byte> to) => _machine.Download((ulong)from, to);

    /// <inheritdoc/>
    public unsafe void QueueCopyToHost(nint from, nint to, long bytes) => _machine.Download((ulong)from, new Span<byte>((void*)to, checked((int)bytes)));

    /// <inheritdoc/>
    public unsafe void QueueCopyFromHost(nint from, nint to, long bytes) => _machine.Write((ulong)to, new ReadOnlySpan<byte>((void*)from, checked((int)bytes)));

    /// <inheritdoc/>
    public void CopyOnDevice(nint from, nint to, long bytes)
    {
        byte[] copy = _machine.Download<byte>((ulong)from, checked((int)bytes));
        _machine.Write<byte>((ulong)to, copy);
    }

    /// <inheritdoc/>
    public void Clear(nint address, long bytes) => _machine.Fill((ulong)address, checked((int)bytes));

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public void Dispose() => _machine.Dispose();

    /// <summary>Memory of the host; the machine copies at once, so nothing need be page-locked.</summary>
    private sealed unsafe class OrdinaryMemory : IDeviceAllocator
    {
        public bool TryAllocate(long bytes, out nint address)
        {
            address = (nint)NativeMemory.AlignedAlloc((nuint)bytes, 64);
            return true;
        }

        public void Free(nint address, long bytes) => NativeMemory.AlignedFree((void*)address);
    }

    private sealed record LoadedKernel(CompiledKernel Kernel, PtxModule Module);
}
