using System.Globalization;
using System.Numerics;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's str() and repr().</summary>
internal static class Repr
{
    /// <summary>What <c>{{ value }}</c> prints.</summary>
    public static string Text(object value) => value switch
    {
        string text => text,
        Markup markup => markup.Text,
        Undefined => "",
        _ => Of(value),
    };

    public static string Of(object value)
    {
        switch (value)
        {
            case string text:
                return Quoted(text);
            case Markup markup:
                return $"Markup({Quoted(markup.Text)})";
            case None:
                return "None";
            case bool flag:
                return flag ? "True" : "False";
            case long integer:
                return integer.ToString(CultureInfo.InvariantCulture);
            case double number:
                return Of(number);
            case BigInteger integer:
                return Of(integer);
            default:
                var to = new StringBuilder();
                Write(value, to, 0, []);
                return to.ToString();
        }
    }

    /// <summary>The shortest digits that give the number again, in Python's notation.</summary>
    public static string Of(double number)
    {
        if (!double.IsFinite(number))
        {
            return double.IsNaN(number) ? "nan" : number > 0 ? "inf" : "-inf";
        }

        if (number == 0)
        {
            return double.IsNegative(number) ? "-0.0" : "0.0";
        }

        string shortest = number.ToString("E16", CultureInfo.InvariantCulture);
        for (int digits = 0; digits < 17; digits++)
        {
            string candidate = number.ToString("E" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
            if (double.Parse(candidate, CultureInfo.InvariantCulture) == number)
            {
                shortest = candidate;
                break;
            }
        }

        int mark = shortest.IndexOf('E', StringComparison.Ordinal);
        int exponent = int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string sign = number < 0 ? "-" : "";
        string mantissa = shortest[sign.Length..mark].Replace(".", "", StringComparison.Ordinal).TrimEnd('0');
        if (exponent is < -4 or >= 16)
        {
            string fraction = mantissa.Length > 1 ? "." + mantissa[1..] : "";
            return $"{sign}{mantissa[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
        }

        if (exponent < 0)
        {
            return $"{sign}0.{new string('0', -exponent - 1)}{mantissa}";
        }

        mantissa = mantissa.PadRight(exponent + 1, '0');
        return mantissa.Length == exponent + 1 ? $"{sign}{mantissa}.0" : $"{sign}{mantissa[..(exponent + 1)]}.{mantissa[(exponent + 1)..]}";
    }

    public static string Of(BigInteger integer)
    {
        string text = integer.ToString(CultureInfo.InvariantCulture);
        return text.Length <= TemplateLimits.IntegerDigits + 1 ? text : throw new TemplateFault($"an integer has more than {TemplateLimits.IntegerDigits} digits");
    }

    private static void Write(object value, StringBuilder to, int depth, HashSet<Namespace> open)
    {
        if (depth > TemplateLimits.ValueDepth)
        {
            throw new TemplateFault("values are nested too deep to print");
        }

        if (to.Length > TemplateLimits.TextLength)
        {
            throw new TemplateFault("a text has grown too long");
        }

        switch (value)
        {
            case ListValue list:
                WriteItems(list.Items, '[', ']', to, depth, open);
                break;
            case TupleValue tuple:
                WriteItems(tuple.Items, '(', ')', to, depth, open);
                break;
            case DictValue dict:
                WriteEntries(dict.Entries, to, depth, open);
                break;
            case DictView view:
                to.Append(view.Kind).Append('(');
                WriteItems(view.Items(), '[', ']', to, depth, open);
                to.Append(')');
                break;
            case Namespace space:
                WriteNamespace(space, to, depth, open);
                break;
            case RangeValue range:
                to.Append(CultureInfo.InvariantCulture, $"range({range.Start}, {range.Stop}");
                to.Append(range.Step == 1 ? ")" : string.Create(CultureInfo.InvariantCulture, $", {range.Step})"));
                break;
            case Undefined:
                to.Append("Undefined");
                break;
            case LazySequence:
                to.Append("<generator object>");
                break;
            case LoopState loop:
                to.Append(CultureInfo.InvariantCulture, $"<LoopContext {loop.Index}/{loop.Length}>");
                break;
            case Macro macro:
                to.Append(CultureInfo.InvariantCulture, $"<Macro {(macro.IsAnonymous ? "anonymous" : Quoted(macro.Name))}>");
                break;
            case Callable callable:
                to.Append(CultureInfo.InvariantCulture, $"<function {callable.Name}>");
                break;
            default:
                to.Append(Of(value));
                break;
        }
    }

    private static void WriteItems(IEnumerable<object> items, char start, char end, StringBuilder to, int depth, HashSet<Namespace> open)
    {
        to.Append(start);
        int count = 0;
        foreach (object item in items)
        {
            to.Append(count++ == 0 ? "" : ", ");
            Write(item, to, depth + 1, open);
        }

        to.Append(start == '(' && count == 1 ? "," : "").Append(end);
    }

    private static void WriteEntries(IEnumerable<KeyValuePair<object, object>> entries, StringBuilder to, int depth, HashSet<Namespace> open)
    {
        to.Append('{');
        bool first = true;
        foreach ((object key, object value) in entries)
        {
            to.Append(first ? "" : ", ");
            Write(key, to, depth + 1, open);
            to.Append(": ");
            Write(value, to, depth + 1, open);
            first = false;
        }

        to.Append('}');
    }

    private static void WriteNamespace(Namespace space, StringBuilder to, int depth, HashSet<Namespace> open)
    {
        to.Append("<Namespace ");
        if (open.Add(space))
        {
            WriteEntries(space.Attributes.Select(pair => KeyValuePair.Create<object, object>(pair.Key, pair.Value)), to, depth, open);
            open.Remove(space);
        }
        else
        {
            to.Append("{...}");
        }

        to.Append('>');
    }

    private static string Quoted(string text)
    {
        char quote = text.Contains('\'', StringComparison.Ordinal) && !text.Contains('"', StringComparison.Ordinal) ? '"' : '\'';
        var to = new StringBuilder(text.Length + 2).Append(quote);
        for (int at = 0; at < text.Length;)
        {
            char unit = text[at];
            if (unit is >= ' ' and < '\u007F')
            {
                to.Append(unit == quote || unit == '\\' ? "\\" : "").Append(unit);
                at++;
                continue;
            }

            bool valid = Rune.TryGetRuneAt(text, at, out Rune rune);
            int codePoint = valid ? rune.Value : unit;
            to.Append(unit switch
            {
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                _ when valid && CharacterClasses.IsPrintable(rune) => rune.ToString(),
                _ => codePoint <= 0xFF ? $"\\x{codePoint:x2}" : codePoint <= 0xFFFF ? $"\\u{codePoint:x4}" : $"\\U{codePoint:x8}",
            });
            at += valid ? rune.Utf16SequenceLength : 1;
        }

        return to.Append(quote).ToString();
    }
}
