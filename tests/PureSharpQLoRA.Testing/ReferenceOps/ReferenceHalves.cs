using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Rounding of single precision to 16 bits: to nearest, ties to even.</summary>
public static class ReferenceHalves
{
    /// <summary>The bits of a number in fp16 or bf16.</summary>
    public static ushort ToBits(float value, DataType type) => type == DataType.BFloat16 ? ToBFloat16(value) : ToFloat16(value);

    /// <summary>What bits of fp16 or bf16 stand for.</summary>
    public static float FromBits(ushort bits, DataType type) => type == DataType.BFloat16 ? FromBFloat16(bits) : FromFloat16(bits);

    /// <summary>The nearest number that a type can hold.</summary>
    public static float Round(float value, DataType type) => type == DataType.Float32 ? value : FromBits(ToBits(value, type), type);

    /// <summary>The bits of the nearest bf16 number; a NaN stays one.</summary>
    public static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
        {
            return (ushort)((bits >> 16) | 0x40);
        }

        uint kept = bits >> 16, dropped = bits & 0xFFFF;
        bool up = dropped > 0x8000 || (dropped == 0x8000 && (kept & 1) == 1);
        return (ushort)(up ? kept + 1 : kept);
    }

    /// <summary>What bf16 bits stand for.</summary>
    public static float FromBFloat16(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The bits of the nearest fp16 number.</summary>
    public static ushort ToFloat16(float value) => BitConverter.HalfToUInt16Bits((Half)value);

    /// <summary>What fp16 bits stand for.</summary>
    public static float FromFloat16(ushort bits) => (float)BitConverter.UInt16BitsToHalf(bits);
}
