namespace PureSharpQLoRA.Core;

/// <summary>
/// The bytes of a tensor, to be filled by the host: the tensor's own memory where the device shares it, else a copy that <see cref="Complete"/> sends.
/// </summary>
public sealed class HostBytes
{
    private readonly IBackend _backend;
    private readonly Tensor _tensor;
    private readonly byte[]? _copy;

    /// <summary>Bytes for a tensor of the given backend.</summary>
    public HostBytes(IBackend backend, Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(tensor);
        (_backend, _tensor) = (backend, tensor);
        _copy = backend.SharesHostMemory ? null : new byte[tensor.Bytes];
    }

    /// <summary>All bytes of the tensor; what they hold before they are filled is undefined.</summary>
    public unsafe Span<byte> Span => _copy is null ? new Span<byte>((void*)_tensor.Address, checked((int)_tensor.Bytes)) : _copy;

    /// <summary>Makes what was filled in the tensor's content.</summary>
    public void Complete()
    {
        if (_copy is null)
        {
            _tensor.MarkWritten();
        }
        else
        {
            _backend.Upload(_copy, _tensor);
        }
    }
}
