using System.Globalization;
using System.Numerics;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Filters on numbers.</summary>
internal static class NumberFilters
{
    public static object Abs(RenderContext context, object value, Arguments arguments) => value switch
    {
        double number => Math.Abs(number),
        _ when Numbers.IsInteger(value) => Numbers.Box(BigInteger.Abs(Numbers.Big(value))),
        _ => throw (value as Undefined)?.Fault() ?? new TemplateFault($"{TypeNames.Of(value)} has no absolute value"),
    };

    public static object Integer(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("int", 0, "default", "base");
        object otherwise = bound[0] ?? Boxed.Integer(0);
        switch (value)
        {
            case string text:
                int radix = bound[1] is null ? 10 : Numbers.Small(bound[1]!, "the base");
                return ParseInteger(text, radix) ?? (ParseFloat(text) is { } real && !double.IsNaN(real) ? Numbers.Truncate(real) : otherwise);
            case double number:
                return double.IsNaN(number) ? otherwise : Numbers.Truncate(number);
            case Undefined undefined:
                throw undefined.Fault();
            default:
                return Numbers.Is(value) ? Numbers.Box(Numbers.Big(value)) : otherwise;
        }
    }

    public static object Float(RenderContext context, object value, Arguments arguments)
    {
        object? otherwise = arguments.Bind("float", 0, "default")[0];
        return value switch
        {
            Undefined undefined => throw undefined.Fault(),
            string text => ParseFloat(text) is { } number ? number : otherwise ?? 0.0,
            _ => Numbers.Is(value) ? Numbers.Float(value) : otherwise ?? 0.0,
        };
    }

    public static object Round(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("round", 0, "precision", "method");
        string method = bound[1] as string ?? "common";
        int precision = bound[0] is null ? 0 : Numbers.Small(bound[0]!, "the precision");
        if (method is not ("common" or "ceil" or "floor"))
        {
            throw new TemplateFault("the method of round must be 'common', 'ceil' or 'floor'");
        }

        if (!Numbers.Is(value))
        {
            throw (value as Undefined)?.Fault() ?? new TemplateFault($"{TypeNames.Of(value)} cannot be rounded");
        }

        context.Charge(Math.Min(Math.Abs((long)precision), 1000));
        if (method != "common")
        {
            object factor = Numbers.Power(10L, Boxed.Integer(precision));
            double scaled = Numbers.Float(Numbers.Multiply(value, factor));
            return Numbers.Divide(Numbers.Truncate(method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)), factor);
        }

        return value is double real ? RoundReal(real, precision) : RoundInteger(Numbers.Big(value), precision);
    }

    public static object Sum(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("sum", 0, "attribute", "start");
        Func<object, object> key = AttributePath.Getter(context, bound[0], null);
        object sum = bound[1] ?? Boxed.Integer(0);
        foreach (object item in Iteration.Of(value))
        {
            context.Charge(1);
            sum = Operators.Apply(context, "+", sum, key(item));
        }

        return sum;
    }

    public static object FileSize(RenderContext context, object value, Arguments arguments)
    {
        bool binary = arguments.Bind("filesizeformat", 0, "binary")[0] is { } flag && Comparison.IsTrue(flag);
        double bytes = value is string text ? ParseFloat(text) ?? throw new TemplateFault("a file size must be a number") : Numbers.Is(value) ? Numbers.Float(value) : throw new TemplateFault("a file size must be a number");
        double unit = binary ? 1024 : 1000;
        if (bytes == 1)
        {
            return "1 Byte";
        }

        if (bytes < unit)
        {
            return $"{Repr.Of(Numbers.Truncate(bytes))} Bytes";
        }

        string[] names = binary ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
        int at = 0;
        double size = unit;
        while (at < names.Length - 1 && bytes >= size * unit)
        {
            size *= unit;
            at++;
        }

        return $"{FormatSpec.Fixed(bytes / size, 1)} {names[at]}";
    }

    /// <summary>Python's int() of a text, or null where it is none.</summary>
    private static object? ParseInteger(string text, int radix)
    {
        text = PythonText.Strip(text, null, start: true, end: true);
        bool negative = text.StartsWith('-');
        string digits = text.StartsWith('-') || text.StartsWith('+') ? text[1..] : text;
        int marked = digits.Length > 1 && digits[0] == '0' ? char.ToLowerInvariant(digits[1]) switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (marked != 0 && (radix == marked || radix == 0))
        {
            (digits, radix) = (digits[2..].TrimStart('_'), marked);
        }
        else if (radix == 0)
        {
            radix = digits.Trim('0', '_').Length > 0 && digits.StartsWith('0') ? -1 : 10;
        }

        if (radix is < 2 or > 36 || digits.Length == 0 || digits.Length > TemplateLimits.IntegerDigits || digits.StartsWith('_') || digits.EndsWith('_') || digits.Contains("__", StringComparison.Ordinal))
        {
            return null;
        }

        BigInteger value = 0;
        foreach (char unit in digits)
        {
            if (unit == '_')
            {
                continue;
            }

            int digit = char.IsAsciiLetter(unit) ? char.ToLowerInvariant(unit) - 'a' + 10 : CharUnicodeInfo.GetDecimalDigitValue(unit);
            if (digit < 0 || digit >= radix)
            {
                return null;
            }

            value = (value * radix) + digit;
        }

        return Numbers.Box(negative ? -value : value);
    }

    /// <summary>Python's float() of a text, or null where it is none.</summary>
    private static double? ParseFloat(string text)
    {
        text = PythonText.Strip(text, null, start: true, end: true);
        string unsigned = text.TrimStart('+', '-').ToLowerInvariant();
        if (unsigned is "inf" or "infinity" or "nan" && text.Length - unsigned.Length <= 1)
        {
            return unsigned == "nan" ? double.NaN : text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
        }

        for (int at = text.IndexOf('_', StringComparison.Ordinal); at >= 0; at = text.IndexOf('_', at + 1))
        {
            if (at == 0 || at + 1 == text.Length || !char.IsAsciiDigit(text[at - 1]) || !char.IsAsciiDigit(text[at + 1]))
            {
                return null;
            }
        }

        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return double.TryParse(text.Replace("_", "", StringComparison.Ordinal), Style, CultureInfo.InvariantCulture, out double value) ? value : null;
    }

    private static double RoundReal(double number, int precision)
    {
        if (!double.IsFinite(number) || number == 0 || precision > 340)
        {
            return number;
        }

        if (precision < -310)
        {
            return Math.CopySign(0, number);
        }

        string digits = FormatSpec.Scaled(Math.Abs(number), precision).ToString(CultureInfo.InvariantCulture);
        return Math.CopySign(double.Parse($"{digits}E{-precision}", CultureInfo.InvariantCulture), number);
    }

    private static object RoundInteger(BigInteger number, int precision)
    {
        if (precision >= 0)
        {
            return Numbers.Box(number);
        }

        if (precision < -TemplateLimits.IntegerDigits)
        {
            return Boxed.Integer(0);
        }

        BigInteger unit = BigInteger.Pow(10, -precision);
        BigInteger quotient = BigInteger.DivRem(BigInteger.Abs(number), unit, out BigInteger rest);
        int order = (rest * 2).CompareTo(unit);
        quotient += order > 0 || (order == 0 && !quotient.IsEven) ? 1 : 0;
        return Numbers.Box(quotient * unit * number.Sign);
    }
}
