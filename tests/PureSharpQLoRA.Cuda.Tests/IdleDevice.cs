using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Devices;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>A device that takes everything and does nothing, so that what is left is the work of the host.</summary>
internal sealed class IdleDevice(int architecture) : IKernelDevice
{
    private nint _address = 0x1000;
    private nint _handle;

    public DeviceProperties Properties { get; } = new("idle", architecture, Multiprocessors: 40, MemoryBytes: 16L << 30);

    public long FreeMemoryBytes => Properties.MemoryBytes;

    public IDeviceAllocator HostMemory => this;

    public int Launches { get; private set; }

    public bool TryAllocate(long bytes, out nint address)
    {
        address = _address;
        _address += (nint)((bytes + 255) / 256 * 256);
        return true;
    }

    public void Free(nint address, long bytes)
    {
    }

    public nint Load(CompiledKernel kernel) => ++_handle;

    public void Launch(nint kernel, GridSize grid, int threads, ReadOnlySpan<byte> arguments) => Launches++;

    public void CopyToDevice(ReadOnlySpan<byte> source, nint to)
    {
    }

    public void CopyToHost(nint from, Span<byte> to) => to.Clear();

    public void QueueCopyToHost(nint from, nint to, long bytes)
    {
    }

    public void QueueCopyFromHost(nint from, nint to, long bytes)
    {
    }

    public void CopyOnDevice(nint from, nint to, long bytes)
    {
    }

    public void Clear(nint address, long bytes)
    {
    }

    public void Synchronize()
    {
    }

    public void Dispose()
    {
    }
}
