namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Where and how a tensor is stored in a safetensors file.</summary>
public sealed class SafetensorsEntry
{
    internal SafetensorsEntry(string name, SafetensorsType type, long[] shape, long count, long offset)
    {
        (Name, Type, Shape, Count, Offset) = (name, type, shape, count, offset);
    }

    /// <summary>The name, unique in its file.</summary>
    public string Name { get; }

    /// <summary>The element type.</summary>
    public SafetensorsType Type { get; }

    /// <summary>The extents, outermost first; empty for a scalar.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The number of elements.</summary>
    public long Count { get; }

    /// <summary>Where the first byte is, counted from the beginning of the file.</summary>
    public long Offset { get; }

    /// <summary>The size in bytes.</summary>
    public long Bytes => Count * Type.ElementBytes();

    /// <summary>For example "BF16 [64, 2048]".</summary>
    public override string ToString() => $"{Type.HeaderName()} [{string.Join(", ", Shape)}]";
}
