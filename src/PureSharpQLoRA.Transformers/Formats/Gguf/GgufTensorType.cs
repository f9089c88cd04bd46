namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The tensor types of GGUF that this library reads and writes; the values are those of the format.</summary>
public enum GgufTensorType
{
    /// <summary>IEEE single precision.</summary>
    Float32 = 0,

    /// <summary>IEEE half precision.</summary>
    Float16 = 1,

    /// <summary>Blocks of 32: a scale in half precision and codes of 4 bits.</summary>
    Q40 = 2,

    /// <summary>Blocks of 32: a scale in half precision and codes of 8 bits.</summary>
    Q80 = 8,

    /// <summary>The upper half of a single.</summary>
    BFloat16 = 30,
}

/// <summary>Names and sizes of the tensor types of GGUF.</summary>
public static class GgufTensorTypes
{
    // Name, elements per block, bytes per block; the types that only have a name here can be listed, but not decoded.
    private static readonly Dictionary<uint, (string Name, int Elements, int Bytes)> Layouts = new()
    {
        [0] = ("F32", 1, 4),
        [1] = ("F16", 1, 2),
        [2] = ("Q4_0", 32, 18),
        [3] = ("Q4_1", 32, 20),
        [6] = ("Q5_0", 32, 22),
        [7] = ("Q5_1", 32, 24),
        [8] = ("Q8_0", 32, 34),
        [9] = ("Q8_1", 32, 36),
        [10] = ("Q2_K", 256, 84),
        [11] = ("Q3_K", 256, 110),
        [12] = ("Q4_K", 256, 144),
        [13] = ("Q5_K", 256, 176),
        [14] = ("Q6_K", 256, 210),
        [15] = ("Q8_K", 256, 292),
        [16] = ("IQ2_XXS", 256, 66),
        [17] = ("IQ2_XS", 256, 74),
        [18] = ("IQ3_XXS", 256, 98),
        [19] = ("IQ1_S", 256, 50),
        [20] = ("IQ4_NL", 32, 18),
        [21] = ("IQ3_S", 256, 110),
        [22] = ("IQ2_S", 256, 82),
        [23] = ("IQ4_XS", 256, 136),
        [24] = ("I8", 1, 1),
        [25] = ("I16", 1, 2),
        [26] = ("I32", 1, 4),
        [27] = ("I64", 1, 8),
        [28] = ("F64", 1, 8),
        [29] = ("IQ1_M", 256, 56),
        [30] = ("BF16", 1, 2),
        [34] = ("TQ1_0", 256, 54),
        [35] = ("TQ2_0", 256, 66),
        [39] = ("MXFP4", 32, 17),
    };

    /// <summary>The name as llama.cpp writes it, such as "Q8_0".</summary>
    public static string Name(this GgufTensorType type) => Layouts[(uint)type].Name;

    /// <summary>Elements that are stored together: a row's length must be a multiple.</summary>
    public static int BlockElements(this GgufTensorType type) => Layouts[(uint)type].Elements;

    /// <summary>The bytes of a block.</summary>
    public static int BlockBytes(this GgufTensorType type) => Layouts[(uint)type].Bytes;

    /// <summary>The bytes of whole blocks.</summary>
    public static long Bytes(this GgufTensorType type, long elements) => elements / type.BlockElements() * type.BlockBytes();

    /// <summary>Whether this library can decode it.</summary>
    public static bool IsSupported(this GgufTensorType type) => Enum.IsDefined(type);

    internal static bool IsKnown(uint type) => Layouts.ContainsKey(type);
}
