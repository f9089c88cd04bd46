namespace PureSharpQLoRA.PtxMachine;

/// <summary>Scalar conversions of the cvt instruction (PTX ISA "Data Movement and Conversion Instructions: cvt").</summary>
internal static class NumberConverter
{
    /// <summary>Sign- or zero-extends the low bits of a register to 64 bits, as an integer of the given type.</summary>
    public static long Extend(ulong bits, ScalarType type) => type switch
    {
        ScalarType.S8 => (sbyte)bits,
        ScalarType.S16 => (short)bits,
        ScalarType.S32 => (int)bits,
        ScalarType.U8 or ScalarType.B8 => (byte)bits,
        ScalarType.U16 or ScalarType.B16 => (ushort)bits,
        ScalarType.U32 or ScalarType.B32 => (uint)bits,
        _ => (long)bits,
    };

    public static double ToDouble(ulong bits, ScalarType type) => type switch
    {
        ScalarType.F16 => HalfFormat.ToSingle((uint)bits),
        ScalarType.BF16 => BFloatFormat.ToSingle((uint)bits),
        ScalarType.F32 or ScalarType.TF32 => BitConverter.UInt32BitsToSingle((uint)bits),
        _ => BitConverter.UInt64BitsToDouble(bits),
    };

    public static ulong FromDouble(double value, ScalarType type, RoundMode mode, bool saturateFinite = false) => type switch
    {
        ScalarType.F16 => SmallFloat.Round(value, 10, 5, mode, saturateFinite),
        ScalarType.BF16 => SmallFloat.Round(value, 7, 8, mode, saturateFinite),
        ScalarType.F32 => SmallFloat.Round(value, 23, 8, mode, saturateFinite),
        ScalarType.TF32 => SmallFloat.Round(value, 10, 8, mode, saturateFinite) << 13,
        _ => BitConverter.DoubleToUInt64Bits(value),
    };

    /// <summary>Integer to integer: truncation, or clamping with .sat.</summary>
    public static ulong IntegerToInteger(ulong bits, ScalarType from, ScalarType to, bool saturate)
    {
        long value = Extend(bits, from);
        if (!saturate)
        {
            return (ulong)Extend((ulong)value, to);
        }

        Int128 wide = from is ScalarType.U64 or ScalarType.B64 ? (Int128)bits : value;
        var (low, high) = Range(to);
        return (ulong)(long)(wide < low ? low : wide > high ? high : wide);
    }

    /// <summary>Integer to float, rounded once: the value is split so that every part is exact in double.</summary>
    public static ulong IntegerToFloat(ulong bits, ScalarType from, ScalarType to, RoundMode mode)
    {
        bool unsigned64 = from is ScalarType.U64 or ScalarType.B64;
        long value = Extend(bits, from);
        double high = unsigned64 ? (double)((ulong)value >> 32) * 4294967296.0 : (value >> 32) * 4294967296.0;
        double low = (uint)value;
        if (to == ScalarType.F64)
        {
            return BitConverter.DoubleToUInt64Bits(mode switch
            {
                RoundMode.NearestEven => high + low,
                _ => Directed(SumSplit(high, low), mode),
            });
        }

        return FromDouble(SmallFloat.AddToOdd(high, low), to, mode);
    }

    /// <summary>Float to integer with saturation; NaN gives 0, or the most negative pattern for 64-bit cases.</summary>
    public static ulong FloatToInteger(double value, ScalarType from, ScalarType to, RoundMode mode)
    {
        if (double.IsNaN(value))
        {
            bool wide = from == ScalarType.F64 || to is ScalarType.S64 or ScalarType.U64;
            return wide ? 1UL << (8 * to.Size() - 1) : 0;
        }
        double rounded = RoundIntegral(value, mode);
        var (low, high) = Range(to);
        if (rounded <= (double)low)
        {
            return (ulong)(long)low;
        }

        if (rounded >= (double)high)
        {
            return (ulong)(high);
        }

        return to is ScalarType.U64 ? (ulong)rounded : (ulong)(long)rounded;
    }

    public static double RoundIntegral(double value, RoundMode mode) => mode switch
    {
        RoundMode.NearestEven => Math.Round(value, MidpointRounding.ToEven),
        RoundMode.Down => Math.Floor(value),
        RoundMode.Up => Math.Ceiling(value),
        _ => Math.Truncate(value),
    };

    public static float Flush(float value) =>
        (BitConverter.SingleToUInt32Bits(value) & 0x7F800000) == 0 ? BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) & 0x80000000) : value;

    public static double Saturate(double value) => value > 0 ? (value < 1 ? value : 1) : 0;

    private static (double Sum, double Error) SumSplit(double a, double b)
    {
        double sum = a + b, bb = sum - a;
        return (sum, (a - (sum - bb)) + (b - bb));
    }

    private static double Directed((double Sum, double Error) value, RoundMode mode)
    {
        var (sum, error) = value;
        if (error == 0)
        {
            return sum;
        }

        return mode switch
        {
            RoundMode.Down => error < 0 ? Math.BitDecrement(sum) : sum,
            RoundMode.Up => error > 0 ? Math.BitIncrement(sum) : sum,
            _ => sum > 0 ? (error < 0 ? Math.BitDecrement(sum) : sum) : (error > 0 ? Math.BitIncrement(sum) : sum),
        };
    }

    private static (Int128 Low, Int128 High) Range(ScalarType type)
    {
        int bits = 8 * type.Size();
        return type.IsSigned() ? (-((Int128)1 << (bits - 1)), ((Int128)1 << (bits - 1)) - 1) : (0, ((Int128)1 << bits) - 1);
    }
}
