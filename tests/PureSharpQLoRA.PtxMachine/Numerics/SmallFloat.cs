using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.PtxMachine;

/// <summary>IEEE-style rounding modes (PTX ISA "Rounding Modifiers").</summary>
internal enum RoundMode { NearestEven, Zero, Down, Up, NearestAway }

/// <summary>Rounds a double to a narrower binary format, exactly once and in any mode.</summary>
internal static class SmallFloat
{
    /// <summary>
    /// Bits of <paramref name="value"/> in a format with the given mantissa and exponent widths.
    /// <paramref name="saturateFinite"/> turns overflow and infinity into the largest finite value.
    /// </summary>
    public static uint Round(double value, int mantissaBits, int exponentBits, RoundMode mode, bool saturateFinite = false)
    {
        ulong bits = BitConverter.DoubleToUInt64Bits(value);
        uint sign = (uint)(bits >> 63) << (mantissaBits + exponentBits);
        bool negative = bits >> 63 != 0;
        int exponent = (int)(bits >> 52) & 0x7FF;
        ulong mantissa = bits & 0xFFFFFFFFFFFFFUL;
        uint infinity = ((1u << exponentBits) - 1) << mantissaBits;
        if (exponent == 0x7FF)
        {
            if (mantissa != 0)
            {
                return infinity | ((1u << mantissaBits) - 1); // canonical NaN
            }

            return sign | (saturateFinite ? infinity - 1 : infinity);
        }
        if (exponent == 0 && mantissa == 0)
        {
            return sign;
        }

        if (exponent == 0)
        {
            exponent = 1;
        }
        else
        {
            mantissa |= 1UL << 52;
        }

        exponent -= 1023;
        int minimum = 2 - (1 << (exponentBits - 1));
        int shift = 52 - mantissaBits;
        uint biased = 0;
        if (exponent >= minimum)
        {
            biased = (uint)(exponent - minimum) << mantissaBits;
        }
        else
        {
            shift += minimum - exponent;
        }

        if (exponent > (1 << (exponentBits - 1)))
        {
            return Overflow(sign, negative, infinity, mode, saturateFinite);
        }

        ulong quotient, remainder, half;
        if (shift > 62) { quotient = 0; remainder = 1; half = 2; }
        else
        {
            quotient = mantissa >> shift;
            remainder = mantissa & ((1UL << shift) - 1);
            half = 1UL << (shift - 1);
        }
        bool up = remainder != 0 && mode switch
        {
            RoundMode.NearestEven => remainder > half || remainder == half && (quotient & 1) != 0,
            RoundMode.NearestAway => remainder >= half,
            RoundMode.Down => negative,
            RoundMode.Up => !negative,
            _ => false,
        };
        uint result = biased + (uint)quotient + (up ? 1u : 0u);
        return result >= infinity ? Overflow(sign, negative, infinity, mode, saturateFinite) : sign | result;
    }

    private static uint Overflow(uint sign, bool negative, uint infinity, RoundMode mode, bool saturateFinite)
    {
        bool toInfinity = !saturateFinite && mode switch
        {
            RoundMode.Zero => false,
            RoundMode.Down => negative,
            RoundMode.Up => !negative,
            _ => true,
        };
        return sign | (toInfinity ? infinity : infinity - 1);
    }

    /// <summary>a + b rounded to odd in double, so that a later rounding to fewer bits is a single rounding of the exact sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static double AddToOdd(double a, double b)
    {
        double sum = a + b, bb = sum - a;
        double error = (a - (sum - bb)) + (b - bb);
        return error == 0 || !double.IsFinite(error) ? sum : Nudge(sum, error);
    }

    private static double Nudge(double sum, double error)
    {
        long bits = BitConverter.DoubleToInt64Bits(sum);
        if ((bits & 1) != 0)
        {
            return sum;
        }

        if (sum == 0)
        {
            return error;
        }

        return BitConverter.Int64BitsToDouble((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
    }

    /// <summary>Rounds to odd in single precision: rounding the result again to a 16-bit format is a single rounding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToOddSingle(double value)
    {
        float single = (float)value;
        if (single == value || double.IsNaN(value))
        {
            return single;
        }

        uint bits = BitConverter.SingleToUInt32Bits(single);
        if ((bits & 1) != 0)
        {
            return single;
        }

        return BitConverter.UInt32BitsToSingle(Math.Abs(value) > Math.Abs((double)single) ? bits + 1 : bits - 1);
    }

    public static float ToSingle(double value, RoundMode mode) => BitConverter.UInt32BitsToSingle(Round(value, 23, 8, mode));
}
