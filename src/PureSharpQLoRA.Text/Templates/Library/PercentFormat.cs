using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's <c>"%s" % values</c>.</summary>
internal static class PercentFormat
{
    public static string Apply(RenderContext context, string format, object values)
    {
        object[] list = values is TupleValue tuple ? tuple.Items : [values];
        int used = 0;
        bool byName = false;
        var result = new StringBuilder();
        for (int at = 0; at < format.Length; at++)
        {
            if (format[at] != '%')
            {
                result.Append(format[at]);
                continue;
            }

            at++;
            object? named = null;
            if (at < format.Length && format[at] == '(')
            {
                int end = format.IndexOf(')', at);
                byName = true;
                named = end > 0 && values is DictValue dict ? (dict.TryGet(format[(at + 1)..end], out object found) ? found : throw new TemplateFault($"a format needs '{format[(at + 1)..end]}'"))
                    : throw new TemplateFault("a format with names needs a dict");
                at = end + 1;
            }

            FormatSpec spec = Flags(format, ref at, ref used, list);
            char kind = at < format.Length ? format[at] : throw new TemplateFault("a format is incomplete");
            if (kind == '%')
            {
                result.Append('%');
                continue;
            }

            object value = named ?? (used < list.Length ? list[used++] : throw new TemplateFault("a format needs more values"));
            context.ChargeText(result.Length + (long)spec.Width);
            result.Append(Format(spec, kind, value));
        }

        return used == list.Length || byName || (values is DictValue or ListValue or RangeValue or Undefined && used == 0) ? result.ToString() : throw new TemplateFault("not all values are used by the format");
    }

    private static FormatSpec Flags(string format, ref int at, ref int used, object[] list)
    {
        var spec = new FormatSpec { Align = '>' };
        bool left = false, zero = false;
        for (; at < format.Length && format[at] is '-' or '+' or ' ' or '0' or '#'; at++)
        {
            left |= format[at] == '-';
            zero |= format[at] == '0';
            spec = format[at] switch
            {
                '+' => spec with { Sign = '+' },
                ' ' when spec.Sign == '-' => spec with { Sign = ' ' },
                '#' => spec with { Alternate = true },
                _ => spec,
            };
        }

        int width = Size(format, ref at, ref used, list) ?? 0;
        left |= width < 0;
        spec = spec with { Width = Math.Abs(width), Align = left ? '<' : zero ? '=' : '>', Fill = zero && !left ? "0" : " " };
        if (at < format.Length && format[at] == '.')
        {
            at++;
            spec = spec with { Precision = Math.Max(Size(format, ref at, ref used, list) ?? 0, 0) };
        }

        while (at < format.Length && format[at] is 'h' or 'l' or 'L')
        {
            at++;
        }

        return spec;
    }

    private static int? Size(string format, ref int at, ref int used, object[] list)
    {
        if (at < format.Length && format[at] == '*')
        {
            at++;
            return used < list.Length ? Numbers.Small(list[used++], "a width") : throw new TemplateFault("a format needs more values");
        }

        return FormatSpec.Number(format, ref at);
    }

    private static string Format(FormatSpec spec, char kind, object value)
    {
        switch (kind)
        {
            case 's' or 'r' or 'a':
                FormatSpec ofText = spec with { Sign = '-', Alternate = false, Fill = " ", Align = spec.Align == '=' ? '>' : spec.Align };
                return ofText.Format(kind == 's' ? Repr.Text(value) : Repr.Of(value));
            case 'c' when value is string character && PythonText.Length(character) == 1:
                return (spec with { Align = spec.Align == '=' ? '>' : spec.Align, Fill = " " }).Format(character);
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o' or 'c':
                if (!Numbers.Is(value) || (kind is 'x' or 'X' or 'o' or 'c' && value is double))
                {
                    throw (value as Undefined)?.Fault() ?? new TemplateFault($"%{kind} needs a number, and got {TypeNames.Of(value)}");
                }

                object integer = value is double number ? Numbers.Truncate(number) : value;
                return WithDigits(spec, kind is 'i' or 'u' ? 'd' : kind, integer);
            case 'e' or 'E' or 'f' or 'F' or 'g' or 'G':
                return Numbers.Is(value) ? (spec with { Kind = kind }).Format(Numbers.Float(value))
                    : throw (value as Undefined)?.Fault() ?? new TemplateFault($"%{kind} needs a number, and got {TypeNames.Of(value)}");
            default:
                throw new TemplateFault($"%{kind} is no format");
        }
    }

    /// <summary>Of an integer, the precision is the least number of digits.</summary>
    private static string WithDigits(FormatSpec spec, char kind, object integer)
    {
        if (spec.Precision is not { } least)
        {
            return (spec with { Kind = kind }).Format(integer);
        }

        string digits = new FormatSpec { Kind = kind, Sign = spec.Sign, Alternate = spec.Alternate }.Format(integer);
        int start = digits.TakeWhile(unit => unit is '+' or '-' or ' ').Count() + (spec.Alternate && kind != 'd' ? 2 : 0);
        digits = digits[..start] + digits[start..].PadLeft(least, '0');
        return new FormatSpec { Width = spec.Width, Align = spec.Align == '<' ? '<' : '>' }.Format(digits);
    }
}
