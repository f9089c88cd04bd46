namespace PureSharpQLoRA.Core;

/// <summary>How the elements of a tensor are stored.</summary>
public enum DataType
{
    /// <summary>IEEE single precision, 4 bytes.</summary>
    Float32,

    /// <summary>IEEE half precision, 2 bytes.</summary>
    Float16,

    /// <summary>The upper half of a single (8 exponent, 7 fraction bits), 2 bytes.</summary>
    BFloat16,

    /// <summary>Signed integer, 4 bytes.</summary>
    Int32,

    /// <summary>4-bit NormalFloat codes, two a byte, with one absolute maximum per 64 elements (Dettmers et al. 2023, arXiv:2305.14314).</summary>
    Nf4,

    /// <summary>Unsigned integer, 1 byte: codes of 8-bit moments.</summary>
    UInt8,
}

/// <summary>Sizes of data types.</summary>
public static class DataTypes
{
    /// <summary>The bytes that <paramref name="count"/> elements take; for NF4 the codes alone, an odd count rounded up.</summary>
    public static long BytesFor(this DataType type, long count) => type switch
    {
        DataType.Float32 or DataType.Int32 => 4 * count,
        DataType.Float16 or DataType.BFloat16 => 2 * count,
        DataType.UInt8 => count,
        DataType.Nf4 => (count + 1) / 2,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown data type."),
    };
}
