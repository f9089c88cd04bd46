namespace PureSharpQLoRA.Text.Templates;

/// <summary>Functions that every template has.</summary>
internal static class Globals
{
    private static readonly Dictionary<string, object> All = new()
    {
        ["range"] = new BuiltIn("range", Range),
        ["dict"] = new BuiltIn("dict", Dict),
        ["namespace"] = new BuiltIn("namespace", MakeNamespace),
        ["cycler"] = new BuiltIn("cycler", static (_, arguments) => new Cycler(arguments.Positional)),
        ["joiner"] = new BuiltIn("joiner", static (_, arguments) => new Joiner(arguments.Bind("joiner", 0, "sep")[0] ?? ", ")),
        ["raise_exception"] = new BuiltIn("raise_exception", static (_, arguments) =>
            throw new TemplateFault("the template refuses the conversation: " + Repr.Text(arguments.Bind("raise_exception", 1, "message")[0]!))),
        ["strftime_now"] = new BuiltIn("strftime_now", StrftimeNow),
    };

    public static object? Find(string name) => All.TryGetValue(name, out object? value) ? value : null;

    private static RangeValue Range(RenderContext context, Arguments arguments)
    {
        object?[] bound = arguments.Bind("range", 1, "", "", "");
        long[] numbers = Array.ConvertAll(bound, value => value is null ? 0 : Bound(value));
        return bound[1] is null ? new RangeValue(0, numbers[0], 1) : new RangeValue(numbers[0], numbers[1], bound[2] is null ? 1 : numbers[2]);
    }

    private static long Bound(object value) => value switch
    {
        Undefined undefined => throw undefined.Fault(),
        long integer => integer,
        bool flag => flag ? 1 : 0,
        System.Numerics.BigInteger => throw new TemplateFault("a bound of a range is too large"),
        _ => throw new TemplateFault($"the bounds of a range must be integers, and one is {TypeNames.Of(value)}"),
    };

    private static DictValue Dict(RenderContext context, Arguments arguments)
    {
        var dict = new DictValue();
        Fill(context, "dict", arguments, dict.Set);
        return dict;
    }

    private static Namespace MakeNamespace(RenderContext context, Arguments arguments)
    {
        var space = new Namespace();
        Fill(context, "namespace", arguments, (key, value) => space.Set(key as string ?? throw new TemplateFault("the names in a namespace must be strings"), value));
        return space;
    }

    /// <summary>The entries of Python's dict(): those of a dict or of pairs, then the named arguments.</summary>
    private static void Fill(RenderContext context, string function, Arguments arguments, Action<object, object> set)
    {
        if (arguments.Positional.Length > 1)
        {
            throw new TemplateFault($"{function} takes at most 1 argument by position");
        }

        foreach (object source in arguments.Positional)
        {
            if (source is DictValue dict)
            {
                foreach ((object key, object value) in dict.Entries)
                {
                    set(key, value);
                }

                continue;
            }

            foreach (object pair in Iteration.ToArray(context, source))
            {
                object[] items = Iteration.ToArray(context, pair);
                if (items.Length != 2)
                {
                    throw new TemplateFault($"{function} needs pairs, and an element has {items.Length} parts");
                }

                set(items[0], items[1]);
            }
        }

        foreach ((string name, object value) in arguments.Named)
        {
            set(name, value);
        }

        context.Charge(arguments.Named.Length);
    }

    private static string StrftimeNow(RenderContext context, Arguments arguments) =>
        Strftime.Format(context.Clock(), arguments.Bind("strftime_now", 1, "format")[0] as string ?? throw new TemplateFault("strftime_now needs a string"));
}

/// <summary>Gives values in turn.</summary>
internal sealed class Cycler : IAttributes
{
    private readonly object[] _items;
    private int _at;

    public Cycler(object[] items) => _items = items.Length > 0 ? items : throw new TemplateFault("cycler needs at least one argument");

    public object? Find(string name) => name switch
    {
        "current" => _items[_at],
        "items" => new TupleValue(_items),
        "pos" => Boxed.Integer(_at),
        "next" => new BuiltIn(name, (_, _) =>
        {
            object item = _items[_at];
            _at = (_at + 1) % _items.Length;
            return item;
        }),
        "reset" => new BuiltIn(name, (_, _) =>
        {
            _at = 0;
            return None.Value;
        }),
        _ => null,
    };
}

/// <summary>Gives nothing when first called, then its separator.</summary>
internal sealed class Joiner(object separator) : Callable("joiner")
{
    private bool _used;

    public override object Call(RenderContext context, Arguments arguments)
    {
        object result = _used ? separator : "";
        _used = true;
        return result;
    }
}
