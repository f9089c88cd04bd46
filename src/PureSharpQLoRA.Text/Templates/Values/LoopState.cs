namespace PureSharpQLoRA.Text.Templates;

/// <summary>The variable <c>loop</c> of a for block.</summary>
internal sealed class LoopState
{
    private readonly IEnumerator<object> _items;
    private readonly object _source;
    private readonly ForStatement _statement;
    private readonly Scope _scope;
    private readonly int _depth;
    private object? _before, _current, _after, _lastChecked;
    private int? _length;
    private List<object>? _rest;
    private int _restAt;

    /// <param name="source">What the loop goes through.</param>
    /// <param name="items">Its elements.</param>
    /// <param name="statement">The loop.</param>
    /// <param name="scope">The frame around the loop.</param>
    /// <param name="depth">How many times the loop has called itself.</param>
    public LoopState(object source, IEnumerable<object> items, ForStatement statement, Scope scope, int depth) =>
        (_source, _items, _statement, _scope, _depth) = (source, items.GetEnumerator(), statement, scope, depth);

    public int Index { get; private set; }

    /// <summary>The number of elements; those of a generator are computed for it.</summary>
    public int Length
    {
        get
        {
            if (_length is null && !_statement.IsFiltered && Iteration.LengthOf(_source) is { } known)
            {
                _length = known;
            }
            else if (_length is null)
            {
                var rest = new List<object>();
                while (Pull() is { } item)
                {
                    rest.Add(item);
                }

                (_rest, _restAt) = (rest, 0);
                _length = Index + rest.Count + (_after is null ? 0 : 1);
            }

            return _length.Value;
        }
    }

    /// <summary>The next element, or null at the end.</summary>
    public object? Next()
    {
        object? next = _after ?? Pull();
        _after = null;
        if (next is not null)
        {
            Index++;
            (_before, _current) = (_current, next);
        }

        return next;
    }

    public object? Find(string attribute) => attribute switch
    {
        "index" => Boxed.Integer(Index),
        "index0" => Boxed.Integer(Index - 1),
        "revindex" => Boxed.Integer(Length - Index + 1),
        "revindex0" => Boxed.Integer(Length - Index),
        "first" => Boxed.Truth(Index == 1),
        "last" => Boxed.Truth(Peek() is null),
        "length" => Boxed.Integer(Length),
        "depth" => Boxed.Integer(_depth + 1),
        "depth0" => Boxed.Integer(_depth),
        "previtem" => Index == 1 ? new Undefined("there is no previous item") : _before,
        "nextitem" => Peek() ?? new Undefined("there is no next item"),
        "cycle" => new BoundMethod<LoopState>("cycle", this, static (_, loop, arguments) => loop.Cycle(arguments)),
        "changed" => new BoundMethod<LoopState>("changed", this, static (_, loop, arguments) => loop.HasChanged(arguments)),
        _ => null,
    };

    /// <summary>Renders the loop again for inner elements.</summary>
    public object Recurse(RenderContext context, Arguments arguments)
    {
        object inner = arguments.Bind("loop", 1, "iterable")[0]!;
        return _statement.IsRecursive
            ? context.Nested(_scope, nested => _statement.Render(nested, inner, _depth + 1))
            : throw new TemplateFault("only a loop marked 'recursive' can be called");
    }

    private object? Peek() => _after ??= Pull();

    private object? Pull()
    {
        if (_rest is not null)
        {
            return _restAt < _rest.Count ? _rest[_restAt++] : null;
        }

        return _items.MoveNext() ? _items.Current : null;
    }

    private object Cycle(Arguments arguments) => arguments.Positional.Length > 0 ? arguments.Positional[(Index - 1) % arguments.Positional.Length]
        : throw new TemplateFault("loop.cycle needs arguments");

    private object HasChanged(Arguments arguments)
    {
        var value = new TupleValue(arguments.Positional);
        bool changed = _lastChecked is null || !Comparison.AreEqual(_lastChecked, value);
        _lastChecked = value;
        return Boxed.Truth(changed);
    }
}
