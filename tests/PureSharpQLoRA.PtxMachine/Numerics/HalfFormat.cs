using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>A 16-bit floating-point format as the packed instructions need it.</summary>
internal interface IHalfFormat
{
    static abstract float ToSingle(uint bits);
    static abstract uint FromSingle(float value);
    static abstract uint FromDoubleExact(double value);
}

/// <summary>IEEE binary16 (PTX .f16).</summary>
internal readonly struct HalfFormat : IHalfFormat
{
    private const float TwoTo112 = 5.192296858534828e33f; // the difference of the exponent biases

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(uint bits)
    {
        uint magnitude = bits & 0x7FFF;
        // subnormal halves become subnormal floats here, which the multiplication normalises exactly
        uint result = magnitude >= 0x7C00
            ? 0x7F800000 | magnitude << 13
            : BitConverter.SingleToUInt32Bits(BitConverter.UInt32BitsToSingle(magnitude << 13) * TwoTo112);
        return BitConverter.UInt32BitsToSingle(result | (bits & 0x8000) << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits >> 16) & 0x8000;
        uint magnitude = bits & 0x7FFFFFFF;
        if (magnitude >= 0x47800000)
        {
            return magnitude > 0x7F800000 ? 0x7FFFu : sign | 0x7C00;
        }

        if (magnitude < 0x38800000) // subnormal half: the float addition rounds to nearest even
        {
            float aligned = BitConverter.UInt32BitsToSingle(magnitude) + 0.5f;
            return sign | (BitConverter.SingleToUInt32Bits(aligned) - 0x3F000000);
        }
        uint rounded = magnitude + 0xFFF + ((magnitude >> 13) & 1) - 0x38000000;
        return sign | (rounded >> 13);
    }

    public static uint FromDoubleExact(double value) => FromSingle(SmallFloat.ToOddSingle(value));

    public static uint FromDouble(double value, RoundMode mode = RoundMode.NearestEven) => SmallFloat.Round(value, 10, 5, mode);
}

/// <summary>bfloat16 (PTX .bf16): the upper half of a float.</summary>
internal readonly struct BFloatFormat : IHalfFormat
{
    public static float ToSingle(uint bits) => BitConverter.UInt32BitsToSingle(bits << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        if ((bits & 0x7FFFFFFF) > 0x7F800000)
        {
            return 0x7FFF;
        }

        return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }

    public static uint FromDoubleExact(double value) => FromSingle(SmallFloat.ToOddSingle(value));
}

/// <summary>A format whose subnormal inputs and results are flushed to signed zero (the .ftz modifier).</summary>
internal readonly struct FlushFormat<TFormat> : IHalfFormat where TFormat : struct, IHalfFormat
{
    public static float ToSingle(uint bits) => (bits & 0x7C00) == 0 ? TFormat.ToSingle(bits & 0x8000) : TFormat.ToSingle(bits);
    public static uint FromSingle(float value) => Flush(TFormat.FromSingle(value));
    public static uint FromDoubleExact(double value) => Flush(TFormat.FromDoubleExact(value));
    private static uint Flush(uint bits) => (bits & 0x7C00) == 0 ? bits & 0x8000 : bits;
}
