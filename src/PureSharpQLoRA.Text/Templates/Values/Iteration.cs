namespace PureSharpQLoRA.Text.Templates;

/// <summary>Going through values.</summary>
internal static class Iteration
{
    public static IEnumerable<object> Of(object value) => TryOf(value) ?? throw new TemplateFault($"{TypeNames.Of(value)} cannot be iterated over");

    /// <summary>The elements of a value, or null where it has none.</summary>
    public static IEnumerable<object>? TryOf(object value) => value switch
    {
        Sequence sequence => sequence.Items,
        string text => PythonText.Characters(text),
        Markup markup => PythonText.Characters(markup.Text),
        DictValue dict => dict.Keys,
        DictView view => view.Items(),
        RangeValue range => range.Items(),
        LazySequence lazy => lazy.Rest(),
        Undefined => [],
        LoopState => [],
        _ => null,
    };

    /// <summary>The number of elements, or null where Python's len() would refuse.</summary>
    public static int? LengthOf(object value) => value switch
    {
        string text => PythonText.Length(text),
        Markup markup => PythonText.Length(markup.Text),
        Sequence sequence => sequence.Items.Length,
        DictValue dict => dict.Length,
        DictView view => view.Owner.Length,
        RangeValue range => range.Length,
        Undefined => 0,
        LoopState loop => loop.Length,
        _ => null,
    };

    /// <summary>All elements at once, charged for.</summary>
    public static object[] ToArray(RenderContext context, object value)
    {
        if (value is Sequence sequence)
        {
            context.Charge(sequence.Items.Length >> 2);
            return sequence.Items;
        }

        var items = new List<object>();
        foreach (object item in Of(value))
        {
            context.Charge(1);
            items.Add(item);
        }

        return [.. items];
    }
}
