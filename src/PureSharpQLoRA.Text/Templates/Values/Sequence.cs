namespace PureSharpQLoRA.Text.Templates;

/// <summary>A list or tuple.</summary>
internal abstract class Sequence : Container
{
    protected Sequence(object[] items)
    {
        Items = items;
        foreach (object item in items)
        {
            Count(item);
        }
    }

    public object[] Items { get; }
}

/// <summary>Python's list.</summary>
internal sealed class ListValue(object[] items) : Sequence(items);

/// <summary>Python's tuple, whose elements may have names.</summary>
internal sealed class TupleValue(object[] items, string[]? names = null) : Sequence(items)
{
    public static readonly TupleValue Empty = new([]);

    public string[]? Names { get; } = names;
}
