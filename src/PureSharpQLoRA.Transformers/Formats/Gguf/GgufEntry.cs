namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Where and how a tensor is stored in a GGUF file.</summary>
public sealed class GgufEntry
{
    internal GgufEntry(string name, GgufTensorType type, long[] shape, long count, long offset)
    {
        (Name, Type, Shape, Count, Offset) = (name, type, shape, count, offset);
    }

    /// <summary>The name, unique in its file.</summary>
    public string Name { get; }

    /// <summary>The type; it may be one that can only be listed (see <see cref="GgufTensorTypes.IsSupported"/>).</summary>
    public GgufTensorType Type { get; }

    /// <summary>The extents, outermost first; the file stores them the other way round.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The number of elements.</summary>
    public long Count { get; }

    /// <summary>Where the first byte is, counted from the beginning of the file.</summary>
    public long Offset { get; }

    /// <summary>The size in bytes.</summary>
    public long Bytes => Type.Bytes(Count);

    /// <summary>For example "Q8_0 [64, 2048]".</summary>
    public override string ToString() => $"{Type.Name()} [{string.Join(", ", Shape)}]";
}
