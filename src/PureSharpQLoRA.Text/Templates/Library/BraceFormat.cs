using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's str.format.</summary>
internal static class BraceFormat
{
    public static object Apply(RenderContext context, string format, Arguments arguments)
    {
        int automatic = 0;
        return Apply(context, format, arguments, ref automatic, depth: 2);
    }

    private static string Apply(RenderContext context, string format, Arguments arguments, ref int automatic, int depth)
    {
        var result = new StringBuilder();
        for (int at = 0; at < format.Length;)
        {
            char unit = format[at];
            if (unit is not ('{' or '}'))
            {
                result.Append(unit);
                at++;
            }
            else if (at + 1 < format.Length && format[at + 1] == unit)
            {
                result.Append(unit);
                at += 2;
            }
            else if (unit == '}')
            {
                throw new TemplateFault("a format has a '}' without '{'");
            }
            else
            {
                int end = FieldEnd(format, at);
                string text = Field(context, format[(at + 1)..end], arguments, ref automatic, depth);
                context.ChargeText(result.Length + (long)text.Length);
                result.Append(text);
                at = end + 1;
            }
        }

        return result.ToString();
    }

    private static int FieldEnd(string format, int start)
    {
        int open = 0;
        for (int at = start; at < format.Length; at++)
        {
            open += format[at] == '{' ? 1 : format[at] == '}' ? -1 : 0;
            if (open == 0)
            {
                return at;
            }
        }

        throw new TemplateFault("a format has a '{' without '}'");
    }

    private static string Field(RenderContext context, string field, Arguments arguments, ref int automatic, int depth)
    {
        if (depth == 0)
        {
            throw new TemplateFault("a format nests too deep");
        }

        int nameEnd = field.AsSpan().IndexOfAny('!', ':') is >= 0 and int end ? end : field.Length;
        object value = Value(context, field[..nameEnd], arguments, ref automatic);
        string rest = field[nameEnd..];
        if (rest.StartsWith('!'))
        {
            char conversion = rest.Length > 1 ? rest[1] : ' ';
            value = conversion switch
            {
                's' => Repr.Text(value),
                'r' => Repr.Of(value),
                _ => throw new TemplateFault($"a format has the conversion '{conversion}'; there are 's' and 'r'"),
            };
            rest = rest[2..];
        }

        string spec = rest.StartsWith(':') ? Apply(context, rest[1..], arguments, ref automatic, depth - 1) : rest.Length == 0 ? "" : throw new TemplateFault("a format field is malformed");
        FormatSpec parsed = FormatSpec.Parse(spec);
        context.ChargeText(parsed.Width);
        return parsed.Format(value);
    }

    private static object Value(RenderContext context, string path, Arguments arguments, ref int automatic)
    {
        int first = path.AsSpan().IndexOfAny('.', '[') is >= 0 and int end ? end : path.Length;
        string name = path[..first];
        object? value;
        if (name.Length == 0 || name.All(char.IsAsciiDigit))
        {
            int index = name.Length == 0 ? automatic++ : name.Length < 6 ? int.Parse(name, System.Globalization.CultureInfo.InvariantCulture) : int.MaxValue;
            value = index < arguments.Positional.Length ? arguments.Positional[index] : throw new TemplateFault($"a format needs argument {index}");
        }
        else
        {
            value = arguments.Named.FirstOrDefault(argument => argument.Key == name).Value ?? throw new TemplateFault($"a format needs the argument '{name}'");
        }

        for (int at = first; at < path.Length;)
        {
            bool isElement = path[at] == '[';
            int stop = isElement ? path.IndexOf(']', at) : path.AsSpan(at + 1).IndexOfAny('.', '[') is >= 0 and int next ? at + 1 + next : path.Length;
            if (stop <= at + 1)
            {
                throw new TemplateFault("a format field is malformed");
            }

            string key = path[(at + 1)..stop];
            value = isElement ? Attributes.OfElement(context, value, key.All(char.IsAsciiDigit) && key.Length < 10 ? Boxed.Integer(long.Parse(key, System.Globalization.CultureInfo.InvariantCulture)) : key)
                : Attributes.OfName(context, value, key);
            at = isElement ? stop + 1 : stop;
        }

        return value;
    }
}
