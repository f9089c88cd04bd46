namespace PureSharpQLoRA.PtxMachine;

/// <summary>PTX fundamental, packed and alternate types (PTX ISA "Fundamental Types", "Packed Data Types").</summary>
internal enum ScalarType
{
    None, Pred,
    B8, B16, B32, B64,
    U8, U16, U32, U64,
    S8, S16, S32, S64,
    F16, F16x2, BF16, BF16x2, F32, TF32, F64,
    U16x2, S16x2,
}

internal static class ScalarTypes
{
    private static readonly Dictionary<string, ScalarType> ByName = new()
    {
        ["pred"] = ScalarType.Pred,
        ["b8"] = ScalarType.B8, ["b16"] = ScalarType.B16, ["b32"] = ScalarType.B32, ["b64"] = ScalarType.B64,
        ["u8"] = ScalarType.U8, ["u16"] = ScalarType.U16, ["u32"] = ScalarType.U32, ["u64"] = ScalarType.U64,
        ["s8"] = ScalarType.S8, ["s16"] = ScalarType.S16, ["s32"] = ScalarType.S32, ["s64"] = ScalarType.S64,
        ["f16"] = ScalarType.F16, ["f16x2"] = ScalarType.F16x2, ["bf16"] = ScalarType.BF16, ["bf16x2"] = ScalarType.BF16x2,
        ["f32"] = ScalarType.F32, ["tf32"] = ScalarType.TF32, ["f64"] = ScalarType.F64,
        ["u16x2"] = ScalarType.U16x2, ["s16x2"] = ScalarType.S16x2,
    };

    public static bool TryParse(string name, out ScalarType type) => ByName.TryGetValue(name, out type);

    /// <summary>Size in bytes in memory.</summary>
    public static int Size(this ScalarType type) => type switch
    {
        ScalarType.B8 or ScalarType.U8 or ScalarType.S8 => 1,
        ScalarType.B16 or ScalarType.U16 or ScalarType.S16 or ScalarType.F16 or ScalarType.BF16 => 2,
        ScalarType.B64 or ScalarType.U64 or ScalarType.S64 or ScalarType.F64 => 8,
        _ => 4,
    };

    /// <summary>Width in bytes of one lane's slot in the register file: 4 for everything up to 32 bits, else 8.</summary>
    public static int SlotWidth(this ScalarType type) => type.Size() == 8 ? 8 : 4;

    public static bool IsSigned(this ScalarType type) => type is ScalarType.S8 or ScalarType.S16 or ScalarType.S32 or ScalarType.S64;

    public static bool IsFloat(this ScalarType type) => type is ScalarType.F16 or ScalarType.BF16 or ScalarType.F32 or ScalarType.TF32 or ScalarType.F64;

    public static bool IsInteger(this ScalarType type) => type is >= ScalarType.B8 and <= ScalarType.S64;
}
