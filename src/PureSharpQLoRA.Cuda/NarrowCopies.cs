using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

/// <summary>
/// 16-bit copies of fp32 weights of low rank: adapters, whose masters change once a step and are read many times. A copy belongs to a place in memory
/// and to what was written there last; a weight that moves or changes gets a new one in its stead.
/// </summary>
internal sealed class NarrowCopies(MemoryPool memory) : IDisposable
{
    private readonly Dictionary<nint, Entry> _entries = [];

    /// <summary>The copy of a tensor, and whether it is to be made.</summary>
    public DeviceBuffer Get(Tensor source, DataType type, long bytes, out bool stale)
    {
        if (_entries.TryGetValue(source.Address, out Entry entry))
        {
            stale = entry.ContentId != source.ContentId || entry.Shape != source.Shape || entry.Type != type;
            if (!stale)
            {
                return entry.Copy;
            }

            if (entry.Copy.Bytes < bytes)
            {
                entry.Copy.Release();
                entry = entry with { Copy = memory.Rent(bytes, MemoryPurpose.Adapters) };
            }
        }
        else
        {
            stale = true;
            entry = new Entry(0, default, default, memory.Rent(bytes, MemoryPurpose.Adapters));
        }

        _entries[source.Address] = new Entry(source.ContentId, source.Shape, type, entry.Copy);
        return entry.Copy;
    }

    public void Dispose()
    {
        foreach (Entry entry in _entries.Values)
        {
            entry.Copy.Release();
        }

        _entries.Clear();
    }

    private readonly record struct Entry(long ContentId, Shape Shape, DataType Type, DeviceBuffer Copy);
}
