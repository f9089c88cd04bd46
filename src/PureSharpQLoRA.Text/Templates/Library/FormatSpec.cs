using System.Globalization;
using System.Numerics;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>How Python's format() writes a value: fill, alignment, sign, width, grouping, precision and kind.</summary>
internal sealed record FormatSpec
{
    private const int MostDigits = 500;

    public string Fill { get; init; } = " ";

    /// <summary><c>&lt;</c>, <c>&gt;</c>, <c>^</c>, <c>=</c>, or a zero character for the value's own.</summary>
    public char Align { get; init; }

    public char Sign { get; init; } = '-';

    public bool Alternate { get; init; }

    public int Width { get; init; }

    public string Grouping { get; init; } = "";

    public int? Precision { get; init; }

    /// <summary>The letter at the end, or a zero character.</summary>
    public char Kind { get; init; }

    public static FormatSpec Parse(string text)
    {
        var spec = new FormatSpec();
        int at = 0;
        int fill = text.Length > 0 ? PythonText.UnitsAt(text, 0) : 0;
        if (text.Length > fill && text[fill] is '<' or '>' or '^' or '=')
        {
            spec = spec with { Fill = text[..fill], Align = text[fill] };
            at = fill + 1;
        }
        else if (text.Length > 0 && text[0] is '<' or '>' or '^' or '=')
        {
            spec = spec with { Align = text[at++] };
        }

        if (at < text.Length && text[at] is '+' or '-' or ' ')
        {
            spec = spec with { Sign = text[at++] };
        }

        if (at < text.Length && text[at] == '#')
        {
            spec = spec with { Alternate = true };
            at++;
        }

        if (at < text.Length && text[at] == '0')
        {
            spec = spec.Align == '\0' ? spec with { Fill = "0", Align = '=' } : spec with { Fill = spec.Fill == " " && at == 1 ? "0" : spec.Fill };
            at++;
        }

        spec = spec with { Width = Number(text, ref at) ?? 0 };
        if (at < text.Length && text[at] is ',' or '_')
        {
            spec = spec with { Grouping = text[at++].ToString() };
        }

        if (at < text.Length && text[at] == '.')
        {
            at++;
            spec = spec with { Precision = Number(text, ref at) ?? throw new TemplateFault("a format has a point without a precision") };
        }

        if (at < text.Length)
        {
            spec = spec with { Kind = text[at++] };
        }

        return at == text.Length ? spec : throw new TemplateFault($"'{text}' is no format");
    }

    public static int? Number(string text, ref int at)
    {
        int start = at;
        int value = 0;
        for (; at < text.Length && char.IsAsciiDigit(text[at]); at++)
        {
            value = (value * 10) + text[at] - '0';
            if (value > TemplateLimits.TextLength)
            {
                throw new TemplateFault("a format asks for too many characters");
            }
        }

        return at > start ? value : null;
    }

    public string Format(object value)
    {
        if (value is string text)
        {
            if (Kind is not ('\0' or 's') || Align == '=' || Sign != '-' || Grouping.Length > 0)
            {
                throw new TemplateFault("the format does not suit a string");
            }

            return Padded("", Precision is { } most && most < text.Length ? text[..PythonText.Offset(text, most)] : text, '<');
        }

        if (!Numbers.Is(value))
        {
            return this == new FormatSpec() ? Repr.Text(value) : throw new TemplateFault($"a format does not suit {TypeNames.Of(value)}");
        }

        if (value is bool && Kind == '\0')
        {
            return this == new FormatSpec() ? Repr.Of(value) : (this with { Kind = 'd' }).Format(value);
        }

        return Numbers.IsInteger(value) && Kind is '\0' or 'd' or 'b' or 'o' or 'x' or 'X' or 'c' or 'n' ? Integer(Numbers.Big(value)) : Real(value);
    }

    private string Integer(BigInteger value)
    {
        if (Precision is not null)
        {
            throw new TemplateFault("an integer has no precision");
        }

        if (Kind == 'c')
        {
            return Padded("", value >= 0 && Rune.IsValid((int)BigInteger.Min(value, int.MaxValue)) ? new Rune((int)value).ToString() : throw new TemplateFault("there is no such character"), '<');
        }

        BigInteger magnitude = BigInteger.Abs(value);
        (string prefix, string digits) = Kind switch
        {
            'b' => ("0b", InBase(magnitude, 2)),
            'o' => ("0o", InBase(magnitude, 8)),
            'x' => ("0x", InBase(magnitude, 16)),
            'X' => ("0X", InBase(magnitude, 16).ToUpperInvariant()),
            _ => ("", Repr.Of(magnitude)),
        };
        return Padded(SignOf(value.Sign < 0) + (Alternate ? prefix : ""), Grouped(digits, Kind is 'b' or 'o' or 'x' or 'X' ? 4 : 3), '>');
    }

    private string Real(object value)
    {
        double number = Numbers.Float(value);
        bool negative = double.IsNegative(number) && !double.IsNaN(number);
        number = Math.Abs(number);
        string digits = Kind switch
        {
            _ when !double.IsFinite(number) => Kind is 'F' or 'E' or 'G' ? Repr.Of(number).ToUpperInvariant() : Repr.Of(number) + (Kind == '%' ? "%" : ""),
            'f' or 'F' => Fixed(number, Precision ?? 6),
            '%' => Fixed(number * 100, Precision ?? 6) + "%",
            'e' or 'E' => Scientific(number, Precision ?? 6),
            'g' or 'G' or 'n' => General(number, Precision ?? 6, keepPoint: false),
            '\0' => Precision is { } precision ? General(number, precision, keepPoint: true) : Repr.Of(number),
            _ => throw new TemplateFault($"the format '{Kind}' does not suit {TypeNames.Of(value)}"),
        };
        digits = Kind is 'E' or 'G' ? digits.ToUpperInvariant() : digits;
        int whole = digits.AsSpan().IndexOfAny('.', 'e', '%') is >= 0 and int end ? end : digits.Length;
        return Padded(SignOf(negative), double.IsFinite(number) ? Grouped(digits[..whole], 3) + digits[whole..] : digits, '>');
    }

    /// <summary>The number with so many digits after the point, rounded half to even from its exact value.</summary>
    public static string Fixed(double number, int precision)
    {
        string digits = Scaled(number, Checked(precision)).ToString(CultureInfo.InvariantCulture).PadLeft(precision + 1, '0');
        return precision == 0 ? digits : $"{digits[..^precision]}.{digits[^precision..]}";
    }

    private static string Scientific(double number, int precision)
    {
        (string digits, int exponent) = Digits(number, Checked(precision) + 1);
        return $"{digits[0]}{(precision > 0 ? "." + digits[1..] : "")}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
    }

    private static string General(double number, int precision, bool keepPoint)
    {
        precision = Math.Max(Checked(precision), 1);
        (string digits, int exponent) = Digits(number, precision);
        if (exponent < -4 || exponent >= precision + (keepPoint && precision < 0 ? 1 : 0) || (keepPoint && exponent == precision - 1 && precision == 0))
        {
            string mantissa = digits.TrimEnd('0').PadRight(1, '0');
            return $"{mantissa[0]}{(mantissa.Length > 1 ? "." + mantissa[1..] : "")}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
        }

        string text = Fixed(number, Math.Max(precision - 1 - exponent, 0));
        text = text.Contains('.', StringComparison.Ordinal) ? text.TrimEnd('0').TrimEnd('.') : text;
        return keepPoint && !text.Contains('.', StringComparison.Ordinal) ? text + ".0" : text;
    }

    /// <summary>So many significant digits and the exponent of the first.</summary>
    private static (string Digits, int Exponent) Digits(double number, int count)
    {
        if (number == 0)
        {
            return (new string('0', count), 0);
        }

        int exponent = (int)Math.Floor(Math.Log10(number));
        string digits = Scaled(number, count - 1 - exponent).ToString(CultureInfo.InvariantCulture);
        for (; digits.Length != count; digits = Scaled(number, count - 1 - exponent).ToString(CultureInfo.InvariantCulture))
        {
            exponent += digits.Length > count ? 1 : -1;
        }

        return (digits, exponent);
    }

    /// <summary>The number times a power of ten, rounded half to even.</summary>
    public static BigInteger Scaled(double number, int power)
    {
        long bits = BitConverter.DoubleToInt64Bits(number);
        int exponent = (int)((bits >> 52) & 0x7FF);
        BigInteger numerator = (bits & 0xFFFFFFFFFFFFF) | (exponent == 0 ? 0 : 1L << 52);
        exponent = Math.Max(exponent, 1) - 1075;
        BigInteger denominator = BigInteger.One;
        numerator *= power > 0 ? BigInteger.Pow(10, power) : 1;
        denominator *= power < 0 ? BigInteger.Pow(10, -power) : 1;
        numerator <<= Math.Max(exponent, 0);
        denominator <<= Math.Max(-exponent, 0);
        (BigInteger quotient, BigInteger remainder) = BigInteger.DivRem(numerator, denominator);
        int order = (remainder * 2).CompareTo(denominator);
        return order > 0 || (order == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }

    private static int Checked(int precision) => precision <= MostDigits ? precision : throw new TemplateFault($"a precision above {MostDigits} is not supported");

    private string SignOf(bool negative) => negative ? "-" : Sign == '-' ? "" : Sign.ToString();

    private string Grouped(string digits, int size)
    {
        if (Grouping.Length == 0 || digits.Length <= size)
        {
            return digits;
        }

        var grouped = new StringBuilder();
        for (int i = 0; i < digits.Length; i++)
        {
            grouped.Append(i > 0 && (digits.Length - i) % size == 0 ? Grouping : "").Append(digits[i]);
        }

        return grouped.ToString();
    }

    private string Padded(string prefix, string digits, char natural)
    {
        int missing = Width - prefix.Length - PythonText.Length(digits);
        if (missing <= 0)
        {
            return prefix + digits;
        }

        string fill(int count) => string.Concat(Enumerable.Repeat(Fill, count));
        return (Align == '\0' ? natural : Align) switch
        {
            '<' => prefix + digits + fill(missing),
            '^' => fill(missing / 2) + prefix + digits + fill(missing - (missing / 2)),
            '=' => prefix + fill(missing) + digits,
            _ => fill(missing) + prefix + digits,
        };
    }

    private static string InBase(BigInteger value, int radix)
    {
        if (value.IsZero)
        {
            return "0";
        }

        var digits = new StringBuilder();
        for (; !value.IsZero; value /= radix)
        {
            digits.Insert(0, "0123456789abcdef"[(int)(value % radix)]);
        }

        return digits.ToString();
    }
}
