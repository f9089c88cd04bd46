using System.Globalization;
using System.Numerics;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Reads the numbers of a template: integers of base 2, 8, 10 and 16, floats, underscores between digits.</summary>
internal static class NumberReader
{
    public static object Read(SourceText source, ref int at)
    {
        string text = source.Text;
        int start = at;
        int end = Digits(text, at, 10);
        bool isFloat = false;

        // A point that follows one of its own is an attribute of an element, as in x.0.1.
        if (start == 0 || text[start - 1] != '.')
        {
            if (end < text.Length && text[end] == '.' && Digits(text, end + 1, 10) is int fraction && fraction > end + 1)
            {
                (end, isFloat) = (fraction, true);
            }

            if (end < text.Length && text[end] is 'e' or 'E')
            {
                int exponent = end + 1 < text.Length && text[end + 1] is '+' or '-' ? end + 2 : end + 1;
                if (Digits(text, exponent, 10) is int after && after > exponent)
                {
                    (end, isFloat) = (after, true);
                }
            }
        }

        if (isFloat)
        {
            at = end;
            return double.Parse(Plain(text, start, end), NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        if (text[start] != '0')
        {
            at = end;
            return Decimal(source, start, Plain(text, start, end));
        }

        int radix = start + 1 < text.Length ? text[start + 1] switch { 'b' or 'B' => 2, 'o' or 'O' => 8, 'x' or 'X' => 16, _ => 10 } : 10;
        if (radix != 10 && Digits(text, start + 2, radix, mayBeginWithUnderscore: true) is int last && last > start + 2)
        {
            at = last;
            return WithRadix(source, start, Plain(text, start + 2, last), radix);
        }

        // Zeros alone are a number; what follows them is another token.
        for (at = start + 1; at < text.Length && (text[at] == '0' || (text[at] == '_' && at + 1 < text.Length && text[at + 1] == '0')); at++)
        {
        }

        return Boxed.Integer(0);
    }

    private static object Decimal(SourceText source, int start, string digits) =>
        digits.Length <= TemplateLimits.IntegerDigits ? Numbers.Box(BigInteger.Parse(digits, CultureInfo.InvariantCulture))
            : throw source.Error(start, $"an integer has more than {TemplateLimits.IntegerDigits} digits");

    private static object WithRadix(SourceText source, int start, string digits, int radix)
    {
        if (digits.Length > TemplateLimits.IntegerDigits)
        {
            throw source.Error(start, $"an integer has more than {TemplateLimits.IntegerDigits} digits");
        }

        return Numbers.Box(digits.Aggregate(BigInteger.Zero, (value, digit) => (value * radix) + Convert.ToInt32(digit.ToString(), 16)));
    }

    /// <summary>Where a run of digits ends, single underscores between them included.</summary>
    private static int Digits(string text, int at, int radix, bool mayBeginWithUnderscore = false)
    {
        int end = at;
        while (at < text.Length)
        {
            if (text[at] == '_' && (end > 0 && end == at) && (mayBeginWithUnderscore || IsDigit(text[at - 1], radix)))
            {
                at++;
                mayBeginWithUnderscore = false;
                continue;
            }

            if (!IsDigit(text[at], radix))
            {
                break;
            }

            mayBeginWithUnderscore = false;
            end = ++at;
        }

        return end;
    }

    private static bool IsDigit(char unit, int radix) => radix == 16 ? char.IsAsciiHexDigit(unit) : unit >= '0' && unit < '0' + radix;

    private static string Plain(string text, int start, int end)
    {
        var digits = new StringBuilder(end - start);
        foreach (char unit in text.AsSpan(start, end - start))
        {
            _ = unit == '_' ? digits : digits.Append(unit);
        }

        return digits.ToString();
    }
}
