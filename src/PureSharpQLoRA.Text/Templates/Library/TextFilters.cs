using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Filters on texts.</summary>
internal static class TextFilters
{
    public static string Text(object value) => StringMethods.Text(value, "the filter");

    public static object Trim(RenderContext context, object value, Arguments arguments)
    {
        object? characters = arguments.Bind("trim", 0, "chars")[0];
        string text = Repr.Text(value);
        context.ChargeText(text.Length);
        return PythonText.Strip(text, characters is null or None ? null : Text(characters), start: true, end: true);
    }

    /// <summary>The letters after a space, dash or bracket in upper case, all others in lower case.</summary>
    public static string Title(string text)
    {
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int start = at;
            while (at < text.Length && !IsBreak(text[at]))
            {
                at++;
            }

            if (at > start)
            {
                int first = PythonText.UnitsAt(text, start);
                result.Append(Casing.Upper(text.Substring(start, first))).Append(Casing.Lower(text[(start + first)..at]));
            }

            while (at < text.Length && IsBreak(text[at]))
            {
                result.Append(text[at++]);
            }
        }

        return result.ToString();

        static bool IsBreak(char unit) => unit is '-' or '(' or '{' or '[' or '<' || CharacterClasses.IsSpace(unit);
    }

    public static object Replace(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("replace", 2, "old", "new", "count");
        return StringMethods.Replace(context, Repr.Text(value), Repr.Text(bound[0]!), Repr.Text(bound[1]!), bound[2] is null or None ? -1 : Numbers.Small(bound[2]!, "the count"));
    }

    public static object Indent(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("indent", 0, "width", "first", "blank");
        string text = Text(value);
        string indent = bound[0] as string ?? new string(' ', Math.Clamp(bound[0] is null ? 4 : Numbers.Small(bound[0]!, "the width"), 0, TemplateLimits.RangeLength));
        List<string> lines = PythonText.Lines(text + "\n");
        context.ChargeText(text.Length + ((long)indent.Length * (lines.Count + 1)));
        bool blank = bound[2] is { } all && Comparison.IsTrue(all);
        var result = new StringBuilder();
        for (int i = 0; i < lines.Count; i++)
        {
            result.Append(i > 0 ? "\n" : "").Append(i > 0 && (blank || lines[i].Length > 0) ? indent : "").Append(lines[i]);
        }

        return bound[1] is { } first && Comparison.IsTrue(first) ? indent + result : result.ToString();
    }

    public static object Center(RenderContext context, object value, Arguments arguments) =>
        StringMethods.Center(context, Repr.Text(value), arguments.Bind("center", 0, "width")[0] is { } width ? Numbers.Small(width, "the width") : 80);

    public static object Truncate(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("truncate", 0, "length", "killwords", "end", "leeway");
        string end = bound[2] is null ? "..." : Text(bound[2]!);
        int length = bound[0] is null ? 255 : Numbers.Small(bound[0]!, "the length"), leeway = bound[3] is null or None ? 5 : Numbers.Small(bound[3]!, "the leeway");
        int kept = length - PythonText.Length(end);
        if (kept < 0 || leeway < 0)
        {
            throw new TemplateFault("truncate needs a length of at least that of its end, and a leeway of at least 0");
        }

        // What is short enough stays as it is, even where it is no text.
        if (Iteration.LengthOf(value) is { } actual && actual <= (long)length + leeway)
        {
            return value;
        }

        string text = Text(value);
        context.ChargeText(text.Length);
        string start = text[..PythonText.Offset(text, kept)];
        bool cutsWords = bound[1] is { } kill && Comparison.IsTrue(kill);
        return (cutsWords ? start : PythonText.SplitFromEnd(start, " ", 1)[0]) + end;
    }

    public static object WordCount(RenderContext context, object value, Arguments arguments)
    {
        string text = Repr.Text(value);
        context.Charge(text.Length >> 3);
        int count = 0;
        for (int at = 0; at < text.Length; at++)
        {
            count += CharacterClasses.IsNamePart(text[at]) && (at == 0 || !CharacterClasses.IsNamePart(text[at - 1])) ? 1 : 0;
        }

        return Boxed.Integer(count);
    }

    public static object Format(RenderContext context, object value, Arguments arguments)
    {
        if (arguments.Positional.Length > 0 && arguments.Named.Length > 0)
        {
            throw new TemplateFault("format takes values by position or by name, not both");
        }

        object values = new TupleValue(arguments.Positional);
        if (arguments.Named.Length > 0)
        {
            var dict = new DictValue();
            foreach ((string name, object item) in arguments.Named)
            {
                dict.Set(name, item);
            }

            values = dict;
        }

        return PercentFormat.Apply(context, Repr.Text(value), values);
    }

    public static object Escape(RenderContext context, object value, Arguments arguments)
    {
        string text = Repr.Text(value);
        context.ChargeText(text.Length * 2L);
        return value as Markup ?? new Markup(Markup.Escape(text));
    }

    public static object ForceEscape(RenderContext context, object value, Arguments arguments)
    {
        string text = Repr.Text(value);
        context.ChargeText(text.Length * 2L);
        return new Markup(Markup.Escape(text));
    }

    public static object UrlEncode(RenderContext context, object value, Arguments arguments)
    {
        if (value is string || Iteration.TryOf(value) is null)
        {
            return Quoted(context, Repr.Text(value), keepSlash: true);
        }

        IEnumerable<object[]> pairs = value is DictValue dict ? dict.Entries.Select(static entry => new[] { entry.Key, entry.Value })
            : Iteration.ToArray(context, value).Select(pair => Iteration.ToArray(context, pair) is { Length: 2 } parts ? parts : throw new TemplateFault("urlencode needs pairs"));
        return string.Join('&', pairs.Select(pair => Quoted(context, Repr.Text(pair[0]), keepSlash: false) + "=" + Quoted(context, Repr.Text(pair[1]), keepSlash: false)));
    }

    private static string Quoted(RenderContext context, string text, bool keepSlash)
    {
        context.ChargeText(text.Length * 3L);
        string quoted = Uri.EscapeDataString(text);
        return keepSlash ? quoted.Replace("%2F", "/", StringComparison.Ordinal) : quoted.Replace("%20", "+", StringComparison.Ordinal);
    }
}
