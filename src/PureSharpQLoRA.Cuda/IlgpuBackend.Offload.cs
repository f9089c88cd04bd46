using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public MemoryPool HostMemory { get; }

    /// <inheritdoc/>
    public void CopyToHost(Tensor from, Tensor to)
    {
        CheckSetAside(from, to, "CopyToHost");
        _device.QueueCopyToHost(from.Address, Write(to), from.Bytes);
    }

    /// <inheritdoc/>
    public void CopyFromHost(Tensor from, Tensor to)
    {
        CheckSetAside(from, to, "CopyFromHost");
        _device.QueueCopyFromHost(from.Address, Write(to), from.Bytes);
    }

    private static void CheckSetAside(Tensor from, Tensor to, string operation)
    {
        ArgumentNullException.ThrowIfNull(from);
        ShapeException.ThrowIfNot(to, from.Shape, operation, "the target");
        ShapeException.ThrowIfNot(to, from.DataType, operation, "the target");
    }
}
