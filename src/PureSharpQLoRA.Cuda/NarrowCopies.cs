using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

/// <summary>
/// 16-bit copies of fp32 weights of low rank: adapters, whose masters change once a step and are read many times. A copy belongs to a place in memory
/// and to what was written there last; a weight that changes gets a new one in its stead, and what nobody asks for any more is let go.
/// </summary>
internal sealed class NarrowCopies(MemoryPool memory) : IDisposable
{
    /// <summary>A copy is let go when all others could have been asked for this many times since it was.</summary>
    private const int UsesKept = 64;

    private readonly Dictionary<nint, Entry> _entries = [];
    private long _uses;

    /// <summary>The copy of a tensor, and whether it is to be made.</summary>
    public DeviceBuffer Get(Tensor source, DataType type, long bytes, out bool stale)
    {
        _uses++;
        if (!_entries.TryGetValue(source.Address, out Entry? entry))
        {
            RemoveUnused();
            entry = new Entry();
            _entries.Add(source.Address, entry);
        }

        entry.LastUse = _uses;
        stale = entry.Copy is null || entry.ContentId != source.ContentId || entry.Shape != source.Shape || entry.Type != type;
        if (entry.Copy is null || entry.Copy.Bytes < bytes)
        {
            entry.Copy?.Release();
            entry.Copy = memory.Rent(bytes, MemoryPurpose.Workspace);
        }

        (entry.ContentId, entry.Shape, entry.Type) = (source.ContentId, source.Shape, type);
        return entry.Copy;
    }

    public void Dispose()
    {
        foreach (Entry entry in _entries.Values)
        {
            entry.Copy?.Release();
        }

        _entries.Clear();
    }

    private void RemoveUnused()
    {
        long oldest = _uses - ((_entries.Count + 1L) * UsesKept);
        foreach ((nint address, Entry entry) in _entries)
        {
            if (entry.LastUse < oldest)
            {
                entry.Copy?.Release();
                _entries.Remove(address);
            }
        }
    }

    private sealed class Entry
    {
        public DeviceBuffer? Copy { get; set; }

        public long ContentId { get; set; }

        public Shape Shape { get; set; }

        public DataType Type { get; set; }

        public long LastUse { get; set; }
    }
}
