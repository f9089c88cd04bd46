namespace PureSharpQLoRA.Core;

/// <summary>Owns tensors: what is allocated in a scope is released when the scope is disposed, or reset for another round.</summary>
public sealed class TensorScope : IDisposable
{
    private readonly MemoryPool _pool;
    private readonly MemoryPurpose _purpose;
    private readonly List<Tensor> _owned = [];
    private readonly Stack<Tensor> _spare = new();

    /// <summary>A scope that takes memory from <paramref name="pool"/> and has it accounted for under <paramref name="purpose"/>.</summary>
    public TensorScope(MemoryPool pool, MemoryPurpose purpose)
    {
        ArgumentNullException.ThrowIfNull(pool);
        _pool = pool;
        _purpose = purpose;
    }

    /// <summary>How many tensors the scope owns.</summary>
    public int Count => _owned.Count;

    /// <summary>A tensor with undefined content.</summary>
    public Tensor Allocate(Shape shape, DataType type = DataType.Float32)
    {
        Tensor tensor = NewTensor();
        tensor.Begin(shape, type, _pool.Rent(type.BytesFor(shape.Count), _purpose));
        tensor.IsPersistent = _purpose != MemoryPurpose.Activations;
        return tensor;
    }

    /// <summary>Rows [<paramref name="firstRow"/>, <paramref name="firstRow"/> + <paramref name="rows"/>) of a matrix, sharing its memory.</summary>
    /// <exception cref="ShapeException">The rows are outside the tensor.</exception>
    public Tensor Rows(Tensor source, int firstRow, int rows)
    {
        ArgumentNullException.ThrowIfNull(source);
        if (firstRow < 0 || rows < 0 || firstRow > source.Shape.Rows - rows)
        {
            throw new ShapeException("Rows", "the range", $"inside {source.Shape}", $"[{firstRow}, {firstRow + (long)rows})");
        }

        DeviceBuffer buffer = source.Buffer ?? throw new InvalidOperationException("The memory of the tensor was released.");
        buffer.AddReference();
        Tensor view = NewTensor();
        long skipped = source.DataType.BytesFor((long)firstRow * source.Shape.Columns);
        view.Begin(new Shape(rows, source.Shape.Columns), source.DataType, buffer, source.Offset + skipped);
        return view;
    }

    /// <summary>A tensor over memory that somebody else keeps alive for as long as this scope lives, such as a mapped file.</summary>
    public Tensor Wrap(Shape shape, DataType type, DeviceBuffer buffer, long offset)
    {
        ArgumentNullException.ThrowIfNull(buffer);
        buffer.AddReference();
        Tensor tensor = NewTensor();
        tensor.Begin(shape, type, buffer, offset);
        tensor.IsPersistent = true;
        return tensor;
    }

    /// <summary>Releases all tensors and keeps the objects for the next round.</summary>
    public void Reset() => ReleaseFrom(0, null);

    /// <inheritdoc/>
    public void Dispose()
    {
        Reset();
        _spare.Clear();
    }

    /// <summary>A tensor that takes over the memory of <paramref name="source"/>, for an operation that works in place.</summary>
    internal Tensor TakeOver(Tensor source)
    {
        Tensor tensor = NewTensor();
        long offset = source.Offset;
        tensor.Begin(source.Shape, source.DataType, source.TakeMemory(), offset);
        return tensor;
    }

    /// <summary>A tensor that shares the memory of <paramref name="source"/>.</summary>
    internal Tensor Share(Tensor source)
    {
        DeviceBuffer buffer = source.Buffer ?? throw new InvalidOperationException("The memory of the tensor was released.");
        buffer.AddReference();
        Tensor tensor = NewTensor();
        tensor.Begin(source.Shape, source.DataType, buffer, source.Offset);
        return tensor;
    }

    /// <summary>A tensor that has a shape and no memory.</summary>
    internal Tensor Unmaterialized(Shape shape, DataType type)
    {
        Tensor tensor = NewTensor();
        tensor.Begin(shape, type, null);
        return tensor;
    }

    /// <summary>Gives memory to a tensor whose memory was dropped.</summary>
    internal void Rematerialize(Tensor tensor) => tensor.Rematerialize(_pool.Rent(tensor.Bytes, _purpose));

    /// <summary>Releases the tensors from position <paramref name="first"/> on, except <paramref name="kept"/>, which moves to that position.</summary>
    internal void ReleaseFrom(int first, Tensor? kept)
    {
        bool found = false;
        for (int i = _owned.Count - 1; i >= first; i--)
        {
            Tensor tensor = _owned[i];
            if (ReferenceEquals(tensor, kept))
            {
                found = true;
                continue;
            }

            tensor.End();
            _spare.Push(tensor);
        }

        _owned.RemoveRange(first, _owned.Count - first);
        if (found)
        {
            _owned.Add(kept!);
        }
    }

    private Tensor NewTensor()
    {
        if (!_spare.TryPop(out Tensor? tensor))
        {
            tensor = new Tensor();
        }

        _owned.Add(tensor);
        return tensor;
    }
}
