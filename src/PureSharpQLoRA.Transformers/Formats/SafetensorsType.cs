namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The element types of safetensors that this library knows, in the format's own order: a file lists the last of them first.</summary>
public enum SafetensorsType
{
    /// <summary>"BOOL", 1 byte.</summary>
    Bool,

    /// <summary>"U8", 1 byte.</summary>
    UInt8,

    /// <summary>"I8", 1 byte.</summary>
    Int8,

    /// <summary>"I16", 2 bytes.</summary>
    Int16,

    /// <summary>"F16", IEEE half precision.</summary>
    Float16,

    /// <summary>"BF16", the upper half of a single.</summary>
    BFloat16,

    /// <summary>"I32", 4 bytes.</summary>
    Int32,

    /// <summary>"F32", IEEE single precision.</summary>
    Float32,

    /// <summary>"F64", IEEE double precision.</summary>
    Float64,

    /// <summary>"I64", 8 bytes.</summary>
    Int64,
}

/// <summary>Names and sizes of the element types.</summary>
public static class SafetensorsTypes
{
    private static readonly string[] Names = ["BOOL", "U8", "I8", "I16", "F16", "BF16", "I32", "F32", "F64", "I64"];

    /// <summary>The name in a header, such as "BF16".</summary>
    public static string HeaderName(this SafetensorsType type) => Names[(int)type];

    /// <summary>The bytes of one element.</summary>
    public static int ElementBytes(this SafetensorsType type) => type switch
    {
        SafetensorsType.Bool or SafetensorsType.UInt8 or SafetensorsType.Int8 => 1,
        SafetensorsType.Int16 or SafetensorsType.Float16 or SafetensorsType.BFloat16 => 2,
        SafetensorsType.Int32 or SafetensorsType.Float32 => 4,
        SafetensorsType.Float64 or SafetensorsType.Int64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Unknown element type."),
    };

    /// <summary>Finds the type that a header names.</summary>
    public static bool TryParse(string name, out SafetensorsType type)
    {
        int index = Array.IndexOf(Names, name);
        type = (SafetensorsType)Math.Max(index, 0);
        return index >= 0;
    }
}
