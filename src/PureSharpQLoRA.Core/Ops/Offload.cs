namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>
    /// Memory of the host that the device reads and writes by itself, page-locked: there tensors can wait until they are needed again. Null where
    /// tensors lie in the host's memory anyway, or the device has no such way.
    /// </summary>
    MemoryPool? HostMemory => null;

    /// <summary>
    /// Copies a tensor of the device into one of the same type and shape in <see cref="HostMemory"/>, in the order of operations and waited for no more
    /// than they are: the memory of <paramref name="from"/> may be given back at once.
    /// </summary>
    void CopyToHost(Tensor from, Tensor to) => throw new NotSupportedException($"{Name} has no host memory of its own.");

    /// <summary>Copies a tensor back that <see cref="CopyToHost"/> has set aside; operations issued later see it.</summary>
    void CopyFromHost(Tensor from, Tensor to) => throw new NotSupportedException($"{Name} has no host memory of its own.");
}
