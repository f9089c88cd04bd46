using System.Numerics;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's arithmetic: integers without bounds, truth values as 0 and 1, floor division.</summary>
internal static class Numbers
{
    /// <summary>Integers up to here have a float of their own.</summary>
    private const long ExactInDouble = 1L << 53;

    public static bool Is(object value) => value is long or double or bool or BigInteger;

    public static bool IsInteger(object value) => value is long or bool or BigInteger;

    /// <summary>An integer as an object: a long where it fits.</summary>
    public static object Box(BigInteger value)
    {
        if (value >= long.MinValue && value <= long.MaxValue)
        {
            return Boxed.Integer((long)value);
        }

        return value.GetBitLength() <= TemplateLimits.IntegerBits ? value : throw new TemplateFault("an integer has grown too large");
    }

    public static BigInteger Big(object value) => value switch
    {
        long integer => integer,
        bool flag => flag ? 1 : 0,
        _ => (BigInteger)value,
    };

    /// <exception cref="TemplateFault">An integer is beyond the floats.</exception>
    public static double Float(object value) => value switch
    {
        double number => number,
        long integer => integer,
        bool flag => flag ? 1 : 0,
        _ => Finite((double)(BigInteger)value),
    };

    /// <summary>An integer that a C# int holds: an index, a width, a count.</summary>
    public static int Small(object value, string what)
    {
        if (!IsInteger(value))
        {
            throw (value as Undefined)?.Fault() ?? new TemplateFault($"{what} must be an int, and is {TypeNames.Of(value)}");
        }

        return value is long and >= int.MinValue and <= int.MaxValue ? (int)(long)value
            : value is bool flag ? (flag ? 1 : 0)
            : throw new TemplateFault($"{what} is too large");
    }

    /// <summary>Below, at or above zero; null with NaN.</summary>
    public static int? Compare(object left, object right)
    {
        if (left is long a && right is long b)
        {
            return a.CompareTo(b);
        }

        if (left is double || right is double)
        {
            if ((left is double x && double.IsNaN(x)) || (right is double y && double.IsNaN(y)))
            {
                return null;
            }

            return left is double number ? (right is double other ? number.CompareTo(other) : -CompareExactly(Big(right), number)) : CompareExactly(Big(left), (double)right);
        }

        return Big(left).CompareTo(Big(right));
    }

    public static object Add(object left, object right)
    {
        if (left is long a && right is long b && !((a ^ (a + b)) < 0 && (b ^ (a + b)) < 0))
        {
            return Boxed.Integer(a + b);
        }

        return left is double || right is double ? Float(left) + Float(right) : Box(Big(left) + Big(right));
    }

    public static object Subtract(object left, object right)
    {
        if (left is long a && right is long b && !((a ^ b) < 0 && (a ^ (a - b)) < 0))
        {
            return Boxed.Integer(a - b);
        }

        return left is double || right is double ? Float(left) - Float(right) : Box(Big(left) - Big(right));
    }

    public static object Multiply(object left, object right) =>
        left is double || right is double ? Float(left) * Float(right) : Box(Big(left) * Big(right));

    public static object Divide(object left, object right)
    {
        if (IsZero(right))
        {
            throw new TemplateFault("division by zero");
        }

        return left is double || right is double ? Float(left) / Float(right)
            : left is long and >= -ExactInDouble and <= ExactInDouble && right is long and >= -ExactInDouble and <= ExactInDouble ? (double)(long)left / (long)right
            : Finite(DivideExactly(Big(left), Big(right)));
    }

    public static object FloorDivide(object left, object right)
    {
        if (IsZero(right))
        {
            throw new TemplateFault("division by zero");
        }

        if (left is double || right is double)
        {
            return DivideWithRemainder(Float(left), Float(right)).Quotient;
        }

        (BigInteger quotient, BigInteger remainder) = BigInteger.DivRem(Big(left), Big(right));
        return Box(!remainder.IsZero && (remainder.Sign < 0) != (Big(right).Sign < 0) ? quotient - 1 : quotient);
    }

    public static object Modulo(object left, object right)
    {
        if (IsZero(right))
        {
            throw new TemplateFault("division by zero");
        }

        if (left is long a && right is long b && b != -1)
        {
            long rest = a % b;
            return Boxed.Integer(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
        }

        if (left is double || right is double)
        {
            return DivideWithRemainder(Float(left), Float(right)).Remainder;
        }

        BigInteger remainder = BigInteger.Remainder(Big(left), Big(right));
        return Box(!remainder.IsZero && (remainder.Sign < 0) != (Big(right).Sign < 0) ? remainder + Big(right) : remainder);
    }

    public static object Power(object left, object right)
    {
        if (IsInteger(left) && IsInteger(right) && Big(right).Sign >= 0)
        {
            BigInteger number = Big(left), exponent = Big(right);
            if (number.IsZero || number.IsOne || number == BigInteger.MinusOne)
            {
                return Box(exponent.IsZero ? 1 : number == BigInteger.MinusOne && exponent.IsEven ? 1 : number);
            }

            return exponent * number.GetBitLength() <= TemplateLimits.IntegerBits ? Box(BigInteger.Pow(number, (int)exponent))
                : throw new TemplateFault("an integer has grown too large");
        }

        double x = Float(left), y = Float(right);
        if (x == 0 && y < 0)
        {
            throw new TemplateFault("zero cannot be raised to a negative power");
        }

        if (x < 0 && double.IsFinite(x) && double.IsFinite(y) && Math.Floor(y) != y)
        {
            throw new TemplateFault("a negative number raised to a fraction is complex, which templates have no use for");
        }

        double power = x == 1 || y == 0 ? 1 : x == -1 && double.IsInfinity(y) ? 1 : Math.Pow(x, y);
        return double.IsInfinity(power) && double.IsFinite(x) && double.IsFinite(y) ? throw new TemplateFault("a float has grown too large") : power;
    }

    public static object Negate(object value) => value switch
    {
        long and not long.MinValue => Boxed.Integer(-(long)value),
        double number => -number,
        _ => Box(-Big(value)),
    };

    /// <summary>int(): the part before the point.</summary>
    public static object Truncate(double value) =>
        double.IsFinite(value) ? Box(new BigInteger(Math.Truncate(value))) : throw new TemplateFault($"{Repr.Of(value)} is no integer");

    private static bool IsZero(object value) => value switch
    {
        long integer => integer == 0,
        double number => number == 0,
        bool flag => !flag,
        _ => false,
    };

    private static double Finite(double value) => double.IsFinite(value) ? value : throw new TemplateFault("an integer is too large for a float");

    private static int CompareExactly(BigInteger integer, double number)
    {
        if (double.IsInfinity(number))
        {
            return number > 0 ? -1 : 1;
        }

        double whole = Math.Floor(number);
        int order = integer.CompareTo(new BigInteger(whole));
        return order != 0 ? order : number > whole ? -1 : 0;
    }

    /// <summary>The quotient of two integers, rounded once.</summary>
    private static double DivideExactly(BigInteger left, BigInteger right)
    {
        bool negative = left.Sign < 0 != right.Sign < 0;
        BigInteger a = BigInteger.Abs(left), b = BigInteger.Abs(right);
        int shift = (int)(66 - a.GetBitLength() + b.GetBitLength());
        (BigInteger quotient, BigInteger remainder) = shift >= 0 ? BigInteger.DivRem(a << shift, b) : BigInteger.DivRem(a, b << -shift);

        // 66 bits or more and the knowledge of what is left over: the conversion then rounds as the whole quotient would.
        if (!remainder.IsZero)
        {
            quotient |= 1;
        }

        int excess = (int)quotient.GetBitLength() - 64;
        ulong bits = (ulong)(quotient >> excess);
        if ((quotient & ((BigInteger.One << excess) - 1)) != 0)
        {
            bits |= 1;
        }

        double value = Math.ScaleB((double)bits, excess - shift);
        return negative ? -value : value;
    }

    private static (double Quotient, double Remainder) DivideWithRemainder(double left, double right)
    {
        double remainder = left % right;
        double quotient = (left - remainder) / right;
        if (remainder != 0)
        {
            if ((right < 0) != (remainder < 0))
            {
                remainder += right;
                quotient -= 1;
            }
        }
        else
        {
            remainder = Math.CopySign(0, right);
        }

        if (quotient != 0)
        {
            double floor = Math.Floor(quotient);
            quotient = quotient - floor > 0.5 ? floor + 1 : floor;
        }
        else
        {
            quotient = Math.CopySign(0, left / right);
        }

        return (quotient, remainder);
    }
}
