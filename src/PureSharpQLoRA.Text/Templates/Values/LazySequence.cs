namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's generators and iterators: a sequence that can be gone through once.</summary>
internal sealed class LazySequence
{
    private readonly IEnumerator<object> _items;
    private readonly int _depth;

    /// <param name="items">The elements, computed when they are asked for.</param>
    /// <param name="source">What the elements are computed from, if anything.</param>
    public LazySequence(IEnumerable<object> items, object? source = null)
    {
        _items = items.GetEnumerator();
        _depth = source is LazySequence lazy ? lazy._depth + 1 : 0;
        if (_depth > TemplateLimits.Nesting)
        {
            throw new TemplateFault($"filters are chained more than {TemplateLimits.Nesting} deep");
        }
    }

    public IEnumerable<object> Rest()
    {
        while (_items.MoveNext())
        {
            yield return _items.Current;
        }
    }
}
