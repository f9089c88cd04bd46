using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core;

/// <summary>
/// A row-major array on a device. Its memory belongs to the <see cref="TensorScope"/> that made it and is valid until that scope
/// is disposed or reset, or the tensor is released; the object may be used again for another tensor afterwards.
/// </summary>
public sealed class Tensor
{
    private static long _lastContentId;
    private DeviceBuffer? _buffer;

    internal Tensor()
    {
    }

    /// <summary>The extents.</summary>
    public Shape Shape { get; private set; }

    /// <summary>How elements are stored.</summary>
    public DataType DataType { get; private set; }

    /// <summary>The absolute maxima that belong to NF4 codes; null for every other type.</summary>
    public Nf4Statistics? Quantization { get; private set; }

    /// <summary>Whether the backward pass computes a gradient for this tensor.</summary>
    public bool RequiresGradient { get; set; }

    /// <summary>The gradient, of the same shape, for weights in fp32, for activations in their type; null where none was needed or computed.</summary>
    public Tensor? Gradient { get; internal set; }

    /// <summary>Whether <see cref="Gradient"/> holds a value that further contributions must be added to.</summary>
    public bool HasGradient { get; internal set; }

    /// <summary>Whether the memory is there: false once released, dropped for recomputation, or taken over by a result.</summary>
    public bool IsMaterialized => _buffer is not null;

    /// <summary>Where the first element is, as the device counts addresses.</summary>
    /// <exception cref="InvalidOperationException">The memory was released.</exception>
    public nint Address => _buffer is null
        ? throw new InvalidOperationException($"The memory of the tensor {Shape} was released, or taken over by the result of another operation.")
        : _buffer.Address + (nint)Offset;

    /// <summary>The bytes of the elements.</summary>
    public long Bytes => DataType.BytesFor(Shape.Count);

    /// <summary>
    /// A number that no other content has: it changes with every write through any tensor over the same memory, so that backends can keep
    /// prepared forms. 0 where the memory is gone.
    /// </summary>
    internal long ContentId => _buffer?.ContentId ?? 0;

    /// <summary>Weights, and gradients of weights, that the tape must not release.</summary>
    internal bool IsPersistent { get; set; }

    /// <summary>The node that computed this tensor, when a tape recorded it.</summary>
    internal TapeNode? Producer { get; set; }

    internal DeviceBuffer? Buffer => _buffer;

    internal long Offset { get; private set; }

    /// <summary>Has gradients collected in a tensor that outlives the steps; null to go back to none.</summary>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public void UseGradient(Tensor? gradient)
    {
        if (gradient is not null)
        {
            ShapeException.ThrowIfNot(gradient, Shape, "UseGradient", "the gradient");
        }

        Gradient = gradient;
        HasGradient = false;
    }

    /// <summary>Gives NF4 codes the absolute maxima of their blocks.</summary>
    /// <exception cref="ShapeException">The tensor holds no NF4 codes.</exception>
    public void AttachStatistics(Nf4Statistics statistics)
    {
        ShapeException.ThrowIfNot(this, DataType.Nf4, "AttachStatistics", "the tensor");
        Quantization = statistics;
    }

    /// <summary>Forgets the gradient's value: the next contribution overwrites it.</summary>
    public void ClearGradient() => HasGradient = false;

    /// <summary>For example "Float32 [64, 2048]".</summary>
    public override string ToString() => $"{DataType} {Shape}";

    /// <summary>Marks the content as changed.</summary>
    internal void MarkWritten()
    {
        if (_buffer is not null)
        {
            _buffer.ContentId = Interlocked.Increment(ref _lastContentId);
        }
    }

    /// <summary>Begins a life as a tensor over <paramref name="buffer"/>, whose reference passes to it.</summary>
    internal void Begin(Shape shape, DataType type, DeviceBuffer? buffer, long offset = 0)
    {
        Shape = shape;
        DataType = type;
        _buffer = buffer;
        Offset = offset;
        MarkWritten();
    }

    /// <summary>Lets the memory go; shape and type stay known.</summary>
    internal void ReleaseMemory()
    {
        DeviceBuffer? buffer = _buffer;
        _buffer = null;
        buffer?.Release();
    }

    /// <summary>Gives the memory to another tensor, whose operation continues in place.</summary>
    internal DeviceBuffer TakeMemory()
    {
        DeviceBuffer buffer = _buffer ?? throw new InvalidOperationException($"The memory of the tensor {Shape} is gone already.");
        _buffer = null;
        return buffer;
    }

    /// <summary>Puts memory behind a tensor that has none, for a result that is computed again.</summary>
    internal void Rematerialize(DeviceBuffer buffer)
    {
        _buffer = buffer;
        Offset = 0;
        MarkWritten();
    }

    /// <summary>Ends this life: memory and all references go.</summary>
    internal void End()
    {
        ReleaseMemory();
        Quantization = null;
        Gradient = null;
        HasGradient = false;
        RequiresGradient = false;
        IsPersistent = false;
        Producer = null;
    }
}
