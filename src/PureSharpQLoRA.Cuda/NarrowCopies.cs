using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

/// <summary>
/// Copies of small fp32 matrices in the type that the tensor cores take, kept until the matrix is written again. A copy whose matrix nobody has asked
/// for in a while goes back to the pool.
/// </summary>
internal sealed class NarrowCopies(MemoryPool memory) : IDisposable
{
    /// <summary>Requests after which a copy counts as forgotten; a training step makes a few thousand.</summary>
    private const long Patience = 1 << 16, SweepInterval = 1 << 12;

    private readonly Dictionary<Key, Copy> _copies = [];
    private long _requests;

    /// <summary>Where the copy lies; true if it holds the matrix, false if the caller has to fill it now.</summary>
    /// <param name="source">The matrix.</param>
    /// <param name="type">The type of the copy.</param>
    /// <param name="elements">Its size, padding included.</param>
    /// <param name="address">Where it lies.</param>
    public bool TryFind(Tensor source, DataType type, long elements, out nint address)
    {
        if (++_requests % SweepInterval == 0)
        {
            Sweep();
        }

        var key = new Key(source.Buffer ?? throw new InvalidOperationException($"The memory of {source} was released."), source.Offset, type, elements);
        if (!_copies.TryGetValue(key, out Copy? copy))
        {
            copy = new Copy(memory.Rent(type.BytesFor(elements), MemoryPurpose.Adapters));
            _copies.Add(key, copy);
        }

        copy.LastRequest = _requests;
        address = copy.Buffer.Address;
        bool current = copy.ContentId == source.ContentId;
        copy.ContentId = source.ContentId;
        return current;
    }

    public void Dispose()
    {
        foreach (Copy copy in _copies.Values)
        {
            copy.Buffer.Release();
        }

        _copies.Clear();
    }

    private void Sweep()
    {
        foreach ((Key key, Copy copy) in _copies)
        {
            if (copy.LastRequest < _requests - Patience)
            {
                copy.Buffer.Release();
                _copies.Remove(key);
            }
        }
    }

    private readonly record struct Key(DeviceBuffer Source, long Offset, DataType Type, long Elements);

    private sealed class Copy(DeviceBuffer buffer)
    {
        public DeviceBuffer Buffer { get; } = buffer;

        /// <summary>What the copy was made of; no content has the number 0.</summary>
        public long ContentId { get; set; }

        public long LastRequest { get; set; }
    }
}
