using System.Globalization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>A metadata value of a GGUF file. Arrays stay in the file until they are read: see <see cref="GgufFile.ReadTexts"/> and <see cref="GgufFile.ReadNumbers"/>.</summary>
public sealed class GgufValue
{
    internal GgufValue(GgufValueType type, object value)
    {
        (Type, Value) = (type, value);
    }

    internal GgufValue(GgufValueType elementType, long count, long offset, long bytes)
    {
        (Type, Value, ElementType, Count, Offset, Bytes) = (GgufValueType.Array, "", elementType, count, offset, bytes);
    }

    /// <summary>Its type.</summary>
    public GgufValueType Type { get; }

    /// <summary>The type of an array's elements.</summary>
    public GgufValueType? ElementType { get; }

    /// <summary>The number of an array's elements.</summary>
    public long Count { get; }

    /// <summary>A number as <see cref="ulong"/>, <see cref="long"/>, <see cref="float"/> or <see cref="double"/>, a <see cref="bool"/>, or a string; empty for an array.</summary>
    public object Value { get; }

    /// <summary>Where an array's elements begin in the file.</summary>
    internal long Offset { get; }

    /// <summary>The bytes of an array's elements.</summary>
    internal long Bytes { get; }

    /// <summary>The value for people; of an array, what it holds.</summary>
    public override string ToString() => Type == GgufValueType.Array
        ? string.Create(CultureInfo.InvariantCulture, $"[{Count} of {ElementType}]")
        : Convert.ToString(Value, CultureInfo.InvariantCulture)!;
}
