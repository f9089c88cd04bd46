using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>
/// A device that computes nothing: it hands out addresses that lead nowhere and writes down what it is asked to do. Everything read back from it
/// is the float 1, which passes for a finite loss and norm.
/// </summary>
internal sealed class DryDevice : IKernelDevice
{
    private const long Alignment = 256;

    private readonly List<CompiledKernel> _kernels = [];
    private nint _next = 1 << 20;

    /// <summary>A device that stands for a card.</summary>
    public DryDevice(int computeCapability, int multiprocessors, long memoryBytes) =>
        Properties = new DeviceProperties($"dry sm_{computeCapability}", computeCapability, multiprocessors, memoryBytes);

    /// <inheritdoc/>
    public DeviceProperties Properties { get; }

    /// <inheritdoc/>
    public long FreeMemoryBytes => Properties.MemoryBytes - Bytes;

    /// <inheritdoc/>
    public IDeviceAllocator HostMemory { get; } = new DryHostMemory();

    /// <summary>Kernels in the order in which they were first wanted.</summary>
    public IReadOnlyList<CompiledKernel> Kernels => _kernels;

    /// <summary>Called with every launch.</summary>
    public Action<Launch>? Launched { get; set; }

    /// <summary>The most bytes that can be taken at a time: no limit but what is set here.</summary>
    public long Capacity { get; set; } = long.MaxValue;

    /// <summary>Bytes taken from the device now.</summary>
    public long Bytes { get; private set; }

    /// <summary>The most bytes taken at a time since it was set last.</summary>
    public long PeakBytes { get; set; }

    /// <inheritdoc/>
    public bool TryAllocate(long bytes, out nint address)
    {
        address = _next;
        if (Bytes + bytes > Capacity)
        {
            return false;
        }

        _next += (nint)((bytes + Alignment - 1) / Alignment * Alignment);
        Bytes += bytes;
        PeakBytes = Math.Max(PeakBytes, Bytes);
        return true;
    }

    /// <inheritdoc/>
    public void Free(nint address, long bytes) => Bytes -= bytes;

    /// <inheritdoc/>
    public nint Load(CompiledKernel kernel)
    {
        _kernels.Add(kernel);
        return _kernels.Count;
    }

    /// <inheritdoc/>
    public void Launch(nint kernel, GridSize grid, int threads, ReadOnlySpan<byte> arguments) => Launched?.Invoke(new Launch(_kernels[(int)kernel - 1], grid));

    /// <inheritdoc/>
    public void CopyToDevice(ReadOnlySpan<byte> source, nint to)
    {
    }

    /// <inheritdoc/>
    public void CopyToHost(nint from, Span<byte> to)
    {
        Span<float> values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(to);
        values.Fill(1);
    }

    /// <inheritdoc/>
    public void QueueCopyToHost(nint from, nint to, long bytes)
    {
    }

    /// <inheritdoc/>
    public void QueueCopyFromHost(nint from, nint to, long bytes)
    {
    }

    /// <inheritdoc/>
    public void CopyOnDevice(nint from, nint to, long bytes)
    {
    }

    /// <inheritdoc/>
    public void Clear(nint address, long bytes)
    {
    }

    /// <inheritdoc/>
    public void Synchronize()
    {
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    /// <summary>Memory of the host that nothing lies in.</summary>
    private sealed class DryHostMemory : IDeviceAllocator
    {
        private nint _next = 1 << 20;

        public bool TryAllocate(long bytes, out nint address)
        {
            address = _next;
            _next += (nint)((bytes + Alignment - 1) / Alignment * Alignment);
            return true;
        }

        public void Free(nint address, long bytes)
        {
        }
    }
}

/// <summary>A kernel and its blocks.</summary>
internal readonly record struct Launch(CompiledKernel Kernel, GridSize Grid)
{
    /// <summary>Blocks of the whole grid.</summary>
    public long Blocks => (long)Grid.X * Grid.Y * Grid.Z;
}
