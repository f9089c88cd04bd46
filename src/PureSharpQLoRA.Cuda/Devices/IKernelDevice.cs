using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;

namespace PureSharpQLoRA.Cuda.Devices;

/// <summary>
/// Something that executes PTX: a card behind the NVIDIA driver, or a machine that interprets it. Work is queued in the order of the calls;
/// only <see cref="CopyToHost"/> and <see cref="Synchronize"/> wait for it. Used from one thread.
/// </summary>
public interface IKernelDevice : IDeviceAllocator, IDisposable
{
    /// <summary>What it is.</summary>
    DeviceProperties Properties { get; }

    /// <summary>Bytes of its memory that are free now.</summary>
    long FreeMemoryBytes { get; }

    /// <summary>Memory of the host that the device copies to and from by itself.</summary>
    IDeviceAllocator HostMemory { get; }

    /// <summary>Makes a compiled kernel ready to launch. The handle is valid as long as the device.</summary>
    nint Load(CompiledKernel kernel);

    /// <summary>Queues a kernel.</summary>
    /// <param name="kernel">What <see cref="Load"/> returned.</param>
    /// <param name="grid">Blocks.</param>
    /// <param name="threads">Threads per block.</param>
    /// <param name="arguments">The parameters as the kernel declares them, each at its natural alignment.</param>
    void Launch(nint kernel, GridSize grid, int threads, ReadOnlySpan<byte> arguments);

    /// <summary>Queues a copy to the device; <paramref name="source"/> may be changed as soon as the call returns.</summary>
    void CopyToDevice(ReadOnlySpan<byte> source, nint to);

    /// <summary>Waits for all queued work, then copies to the host.</summary>
    void CopyToHost(nint from, Span<byte> to);

    /// <summary>Queues a copy from the device to <see cref="HostMemory"/>.</summary>
    void QueueCopyToHost(nint from, nint to, long bytes);

    /// <summary>Queues a copy from <see cref="HostMemory"/> to the device.</summary>
    void QueueCopyFromHost(nint from, nint to, long bytes);

    /// <summary>Queues a copy between two places of the device that don't overlap.</summary>
    void CopyOnDevice(nint from, nint to, long bytes);

    /// <summary>Queues setting bytes to zero.</summary>
    void Clear(nint address, long bytes);

    /// <summary>Waits for all queued work.</summary>
    void Synchronize();
}
