using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>The methods of Python's str.</summary>
internal static class StringMethods
{
    public static readonly Dictionary<string, Func<RenderContext, string, Arguments, object>> All = new()
    {
        ["strip"] = static (_, text, arguments) => Strip(text, arguments, "strip", start: true, end: true),
        ["lstrip"] = static (_, text, arguments) => Strip(text, arguments, "lstrip", start: true, end: false),
        ["rstrip"] = static (_, text, arguments) => Strip(text, arguments, "rstrip", start: false, end: true),
        ["split"] = static (context, text, arguments) => Split(context, text, arguments, "split"),
        ["rsplit"] = static (context, text, arguments) => Split(context, text, arguments, "rsplit"),
        ["splitlines"] = static (context, text, arguments) => SplitLines(context, text, arguments),
        ["partition"] = static (_, text, arguments) => Partition(text, arguments, "partition", fromEnd: false),
        ["rpartition"] = static (_, text, arguments) => Partition(text, arguments, "rpartition", fromEnd: true),
        ["startswith"] = static (_, text, arguments) => Boxed.Truth(HasAffix(text, arguments, "startswith", static (part, affix) => part.StartsWith(affix, StringComparison.Ordinal))),
        ["endswith"] = static (_, text, arguments) => Boxed.Truth(HasAffix(text, arguments, "endswith", static (part, affix) => part.EndsWith(affix, StringComparison.Ordinal))),
        ["removeprefix"] = static (_, text, arguments) => Text(arguments.Bind("removeprefix", 1, "")[0]!, "removeprefix") is { } prefix && text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text,
        ["removesuffix"] = static (_, text, arguments) => Text(arguments.Bind("removesuffix", 1, "")[0]!, "removesuffix") is { } suffix && text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text,
        ["upper"] = static (context, text, _) => Cased(context, text, Casing.Upper),
        ["lower"] = static (context, text, _) => Cased(context, text, Casing.Lower),
        ["casefold"] = static (context, text, _) => Cased(context, text, static value => Casing.Lower(value).Replace("ß", "ss", StringComparison.Ordinal).Replace('ς', 'σ')),
        ["title"] = static (context, text, _) => Cased(context, text, Casing.Title),
        ["capitalize"] = static (context, text, _) => Cased(context, text, Casing.Capitalize),
        ["swapcase"] = static (context, text, _) => Cased(context, text, Casing.Swap),
        ["replace"] = static (context, text, arguments) =>
        {
            object?[] bound = arguments.Bind("replace", 2, "", "", "");
            return Replace(context, text, Text(bound[0]!, "replace"), Text(bound[1]!, "replace"), bound[2] is null ? -1 : Numbers.Small(bound[2]!, "the count"));
        },
        ["join"] = static (context, text, arguments) => Join(context, text, arguments.Bind("join", 1, "")[0]!),
        ["find"] = static (context, text, arguments) => Find(context, text, arguments, "find", last: false),
        ["rfind"] = static (context, text, arguments) => Find(context, text, arguments, "rfind", last: true),
        ["index"] = static (context, text, arguments) => Required(Find(context, text, arguments, "index", last: false)),
        ["rindex"] = static (context, text, arguments) => Required(Find(context, text, arguments, "rindex", last: true)),
        ["count"] = static (context, text, arguments) =>
        {
            context.Charge(text.Length >> 5);
            (string part, string searched, _) = Searched(text, arguments, "count");
            return Boxed.Integer(searched is null ? 0 : PythonText.CountOf(searched, part));
        },
        ["center"] = static (context, text, arguments) => Pad(context, text, arguments, "center"),
        ["ljust"] = static (context, text, arguments) => Pad(context, text, arguments, "ljust"),
        ["rjust"] = static (context, text, arguments) => Pad(context, text, arguments, "rjust"),
        ["zfill"] = static (context, text, arguments) => ZeroFill(context, text, Numbers.Small(arguments.Bind("zfill", 1, "")[0]!, "the width")),
        ["format"] = BraceFormat.Apply,
        ["isspace"] = static (_, text, _) => Boxed.Truth(text.Length > 0 && text.All(CharacterClasses.IsSpace)),
        ["isascii"] = static (_, text, _) => Boxed.Truth(Ascii.IsValid(text)),
        ["isupper"] = static (_, text, _) => Boxed.Truth(IsCased(text, upper: true)),
        ["islower"] = static (_, text, _) => Boxed.Truth(IsCased(text, upper: false)),
        ["isalpha"] = static (_, text, _) => Boxed.Truth(OfOnly(text, Rune.IsLetter)),
        ["isdecimal"] = static (_, text, _) => Boxed.Truth(OfOnly(text, static rune => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber)),
        ["isdigit"] = static (_, text, _) => Boxed.Truth(OfOnly(text, IsDigit)),
        ["isnumeric"] = static (_, text, _) => Boxed.Truth(OfOnly(text, static rune => Rune.GetNumericValue(rune) != -1)),
        ["isalnum"] = static (_, text, _) => Boxed.Truth(OfOnly(text, static rune => Rune.IsLetter(rune) || Rune.GetNumericValue(rune) != -1)),
        ["isprintable"] = static (_, text, _) => Boxed.Truth(text.EnumerateRunes().All(CharacterClasses.IsPrintable)),
        ["isidentifier"] = static (_, text, _) => Boxed.Truth(text.Length > 0 && CharacterClasses.IsNameStart(text[0]) && text.All(CharacterClasses.IsNamePart)),
        ["istitle"] = static (_, text, _) => Boxed.Truth(Casing.Title(text) == text && text.EnumerateRunes().Any(static rune => Rune.IsUpper(rune))),
        ["expandtabs"] = static (context, text, arguments) => ExpandTabs(context, text, arguments.Bind("expandtabs", 0, "tabsize")[0] is { } size ? Numbers.Small(size, "tabsize") : 8),
    };

    /// <summary>Whether there are cased letters and all of them are upper or lower.</summary>
    public static bool IsCased(string text, bool upper)
    {
        bool any = false;
        foreach (Rune rune in text.EnumerateRunes())
        {
            UnicodeCategory category = Rune.GetUnicodeCategory(rune);
            if (category == UnicodeCategory.TitlecaseLetter || category == (upper ? UnicodeCategory.LowercaseLetter : UnicodeCategory.UppercaseLetter))
            {
                return false;
            }

            any |= category == (upper ? UnicodeCategory.UppercaseLetter : UnicodeCategory.LowercaseLetter);
        }

        return any;
    }

    public static string Replace(RenderContext context, string text, string old, string replacement, int most)
    {
        context.Charge(text.Length >> 5);
        long found = replacement.Length <= old.Length ? 0 : PythonText.CountOf(text, old);
        context.ChargeText(text.Length + ((most < 0 ? found : Math.Min(found, most)) * (replacement.Length - old.Length)));
        return PythonText.Replace(text, old, replacement, most);
    }

    public static string Join(RenderContext context, string separator, object values)
    {
        var texts = new List<string>();
        foreach (object value in Iteration.Of(values))
        {
            texts.Add(Markup.Plain(value) as string ?? throw (value as Undefined is { } ? new TemplateFault("join needs strings, and an element is undefined")
                : new TemplateFault($"join needs strings, and element {texts.Count} is {TypeNames.Of(value)}")));
            context.Charge(1 + ((texts[^1].Length + separator.Length) >> 3));
        }

        context.ChargeText(texts.Sum(static text => (long)text.Length) + ((long)separator.Length * texts.Count));
        return string.Join(separator, texts);
    }

    public static string Center(RenderContext context, string text, int width, string fill = " ")
    {
        int missing = width - PythonText.Length(text);
        if (missing <= 0)
        {
            return text;
        }

        // Python puts the odd space on the left where the width is odd.
        context.ChargeText(width);
        int left = (missing / 2) + (missing & width & 1);
        return Filled(fill, left) + text + Filled(fill, missing - left);
    }

    public static string Cased(RenderContext context, string text, Func<string, string> change)
    {
        context.ChargeText(text.Length * 2L);
        return change(text);
    }

    public static string Text(object value, string function) => Markup.Plain(value) as string
        ?? throw (value as Undefined)?.Fault() ?? new TemplateFault($"{function} needs strings, and got {TypeNames.Of(value)}");

    private static string? TextOrNone(object? value, string function) => value is null or None ? null : Text(value, function);

    private static string Strip(string text, Arguments arguments, string name, bool start, bool end) =>
        PythonText.Strip(text, TextOrNone(arguments.Bind(name, 0, "")[0], name), start, end);

    private static ListValue Split(RenderContext context, string text, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, 0, "sep", "maxsplit");
        string? separator = TextOrNone(bound[0], name);
        if (separator is { Length: 0 })
        {
            throw new TemplateFault($"the separator of {name} is empty");
        }

        context.Charge(text.Length >> 3);
        int most = bound[1] is null ? -1 : Numbers.Small(bound[1]!, "maxsplit");
        List<string> parts = name == "split" ? PythonText.Split(text, separator, most) : PythonText.SplitFromEnd(text, separator, most);
        context.Charge(parts.Count);
        return new ListValue([.. parts]);
    }

    private static ListValue SplitLines(RenderContext context, string text, Arguments arguments)
    {
        object? keepEnds = arguments.Bind("splitlines", 0, "keepends")[0];
        List<string> lines = PythonText.Lines(text, keepEnds is not null && Comparison.IsTrue(keepEnds));
        context.Charge((text.Length >> 3) + lines.Count);
        return new ListValue([.. lines]);
    }

    private static TupleValue Partition(string text, Arguments arguments, string name, bool fromEnd)
    {
        string separator = Text(arguments.Bind(name, 1, "")[0]!, name);
        if (separator.Length == 0)
        {
            throw new TemplateFault($"the separator of {name} is empty");
        }

        int at = fromEnd ? text.LastIndexOf(separator, StringComparison.Ordinal) : text.IndexOf(separator, StringComparison.Ordinal);
        return at >= 0 ? new TupleValue([text[..at], separator, text[(at + separator.Length)..]])
            : fromEnd ? new TupleValue(["", "", text]) : new TupleValue([text, "", ""]);
    }

    private static bool HasAffix(string text, Arguments arguments, string name, Func<string, string, bool> has)
    {
        object?[] bound = arguments.Bind(name, 1, "", "", "");
        string[] affixes = bound[0] is TupleValue tuple ? Array.ConvertAll(tuple.Items, item => Text(item, name)) : [Text(bound[0]!, name)];
        string? part = Part(text, bound[1], bound[2], out _);
        return part is not null && Array.Exists(affixes, affix => has(part, affix));
    }

    /// <summary>What lies between bounds, or null where the first is beyond the text.</summary>
    private static string? Part(string text, object? start, object? end, out int offset)
    {
        offset = 0;
        if (start is null or None && end is null or None)
        {
            return text;
        }

        int length = PythonText.Length(text);
        int from = Bound(start, 0), to = Math.Min(Bound(end, length), length);
        if (from > length || from > to)
        {
            return null;
        }

        offset = from;
        return text[PythonText.Offset(text, from)..PythonText.Offset(text, to)];

        int Bound(object? value, int absent)
        {
            int bound = value is null or None ? absent : Numbers.Small(value, "an index");
            return bound < 0 ? Math.Max(bound + length, 0) : bound;
        }
    }

    private static (string Part, string Searched, int Offset) Searched(string text, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, 1, "", "", "");
        string? searched = Part(text, bound[1], bound[2], out int offset);
        return (Text(bound[0]!, name), searched!, offset);
    }

    private static object Find(RenderContext context, string text, Arguments arguments, string name, bool last)
    {
        context.Charge(text.Length >> 5);
        (string part, string searched, int offset) = Searched(text, arguments, name);
        int at = searched is null ? -1 : last ? searched.AsSpan().LastIndexOf(part) : searched.IndexOf(part, StringComparison.Ordinal);
        return Boxed.Integer(at < 0 ? -1 : PythonText.Index(searched!, at) + offset);
    }

    private static object Required(object index) => index is -1L ? throw new TemplateFault("the text searched for is not there") : index;

    private static string Pad(RenderContext context, string text, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, 1, "", "");
        int width = Numbers.Small(bound[0]!, "the width");
        string fill = bound[1] is null ? " " : Text(bound[1]!, name);
        if (PythonText.Length(fill) != 1)
        {
            throw new TemplateFault($"{name} needs one character to fill with");
        }

        int missing = width - PythonText.Length(text);
        if (missing <= 0)
        {
            return text;
        }

        context.ChargeText(width);
        return name == "center" ? Center(context, text, width, fill) : name == "ljust" ? text + Filled(fill, missing) : Filled(fill, missing) + text;
    }

    private static string Filled(string fill, int count) => fill.Length == 1 ? new string(fill[0], count) : string.Concat(Enumerable.Repeat(fill, count));

    private static string ZeroFill(RenderContext context, string text, int width)
    {
        int missing = width - PythonText.Length(text);
        if (missing <= 0)
        {
            return text;
        }

        context.ChargeText(width);
        int sign = text.Length > 0 && text[0] is '+' or '-' ? 1 : 0;
        return text[..sign] + new string('0', missing) + text[sign..];
    }

    private static string ExpandTabs(RenderContext context, string text, int size)
    {
        context.ChargeText(text.Length + ((long)text.Count(static unit => unit == '\t') * Math.Max(size, 0)));
        var result = new StringBuilder(text.Length);
        int column = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (rune.Value == '\t')
            {
                int spaces = size > 0 ? size - (column % size) : 0;
                result.Append(' ', spaces);
                column += spaces;
                continue;
            }

            result.Append(rune.ToString());
            column = rune.Value is '\n' or '\r' ? 0 : column + 1;
        }

        return result.ToString();
    }

    private static bool OfOnly(string text, Func<Rune, bool> holds) => text.Length > 0 && text.EnumerateRunes().All(holds);

    private static bool IsDigit(Rune rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.DecimalDigitNumber
        || (rune.IsBmp && CharUnicodeInfo.GetDigitValue((char)rune.Value) >= 0);
}
