namespace PureSharpQLoRA.Text.Templates;

/// <summary>What stands after a bar.</summary>
internal delegate object Filter(RenderContext context, object value, Arguments arguments);

/// <summary>The filters of Jinja, with <c>tojson</c> as transformers sets it.</summary>
internal static class Filters
{
    public static readonly Dictionary<string, Filter> All = new()
    {
        ["default"] = Default,
        ["d"] = Default,
        ["length"] = Length,
        ["count"] = Length,
        ["string"] = static (_, value, _) => Repr.Text(value),
        ["safe"] = static (_, value, _) => value as Markup ?? new Markup(Repr.Text(value)),
        ["tojson"] = ToJson,
        ["attr"] = static (_, value, arguments) =>
        {
            string name = TextFilters.Text(arguments.Bind("attr", 1, "name")[0]!);
            return value is Undefined undefined ? throw undefined.Fault() : Attributes.Find(value, name) ?? Undefined.Attribute(value, name);
        },

        ["trim"] = TextFilters.Trim,
        ["upper"] = static (context, value, _) => StringMethods.Cased(context, Repr.Text(value), Casing.Upper),
        ["lower"] = static (context, value, _) => StringMethods.Cased(context, Repr.Text(value), Casing.Lower),
        ["title"] = static (context, value, _) => StringMethods.Cased(context, Repr.Text(value), TextFilters.Title),
        ["capitalize"] = static (context, value, _) => StringMethods.Cased(context, Repr.Text(value), Casing.Capitalize),
        ["replace"] = TextFilters.Replace,
        ["indent"] = TextFilters.Indent,
        ["center"] = TextFilters.Center,
        ["truncate"] = TextFilters.Truncate,
        ["wordcount"] = TextFilters.WordCount,
        ["format"] = TextFilters.Format,
        ["escape"] = TextFilters.Escape,
        ["e"] = TextFilters.Escape,
        ["forceescape"] = TextFilters.ForceEscape,
        ["urlencode"] = TextFilters.UrlEncode,

        ["abs"] = NumberFilters.Abs,
        ["int"] = NumberFilters.Integer,
        ["float"] = NumberFilters.Float,
        ["round"] = NumberFilters.Round,
        ["sum"] = NumberFilters.Sum,
        ["filesizeformat"] = NumberFilters.FileSize,

        ["list"] = static (context, value, arguments) =>
        {
            arguments.Bind("list", 0);
            return new ListValue([.. Iteration.ToArray(context, value)]);
        },
        ["join"] = SequenceFilters.Join,
        ["first"] = SequenceFilters.First,
        ["last"] = SequenceFilters.Last,
        ["reverse"] = SequenceFilters.Reverse,
        ["batch"] = SequenceFilters.Batch,
        ["slice"] = SequenceFilters.Slice,
        ["items"] = SequenceFilters.Items,
        ["dictsort"] = OrderFilters.DictSort,
        ["sort"] = OrderFilters.Sort,
        ["unique"] = OrderFilters.Unique,
        ["min"] = static (context, value, arguments) => OrderFilters.Extreme(context, value, arguments, "min"),
        ["max"] = static (context, value, arguments) => OrderFilters.Extreme(context, value, arguments, "max"),
        ["groupby"] = OrderFilters.GroupBy,
        ["map"] = SelectionFilters.Map,
        ["select"] = static (context, value, arguments) => SelectionFilters.Select(context, value, arguments, "select"),
        ["reject"] = static (context, value, arguments) => SelectionFilters.Select(context, value, arguments, "reject"),
        ["selectattr"] = static (context, value, arguments) => SelectionFilters.Select(context, value, arguments, "selectattr"),
        ["rejectattr"] = static (context, value, arguments) => SelectionFilters.Select(context, value, arguments, "rejectattr"),
    };

    private static object Default(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("default", 0, "default_value", "boolean");
        return value is Undefined || (bound[1] is { } boolean && Comparison.IsTrue(boolean) && !Comparison.IsTrue(value)) ? bound[0] ?? "" : value;
    }

    private static object Length(RenderContext context, object value, Arguments arguments)
    {
        arguments.Bind("length", 0);
        context.Charge(value is string text ? text.Length >> 6 : 0);
        return Boxed.Integer(Iteration.LengthOf(value) ?? throw new TemplateFault($"{TypeNames.Of(value)} has no length"));
    }

    private static string ToJson(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys");
        string? indent = bound[1] switch
        {
            null or None => null,
            string text => text,
            { } width => new string(' ', Math.Clamp(Numbers.Small(width, "the indent"), 0, TemplateLimits.RangeLength)),
        };
        object[]? separators = bound[2] is null or None ? null : Iteration.ToArray(context, bound[2]!);
        if (separators is { Length: not 2 })
        {
            throw new TemplateFault("tojson needs two separators");
        }

        context.Charge(Container.WeightOf(value) * (indent is null ? 2 : 2 + (indent.Length >> 1)));
        string json = new JsonText
        {
            EnsureAscii = bound[0] is { } ascii && Comparison.IsTrue(ascii),
            Indent = indent,
            ItemSeparator = separators is null ? (indent is null ? ", " : ",") : TextFilters.Text(separators[0]),
            KeySeparator = separators is null ? ": " : TextFilters.Text(separators[1]),
            SortKeys = bound[3] is { } sort && Comparison.IsTrue(sort),
        }.Write(value);
        context.ChargeText(json.Length);
        return json;
    }
}
