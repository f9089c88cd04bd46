namespace PureSharpQLoRA.Text.Templates;

/// <summary>Filters on sequences.</summary>
internal static class SequenceFilters
{
    public static object Join(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("join", 0, "d", "attribute");
        Func<object, object> key = AttributePath.Getter(context, bound[1], null);
        IEnumerable<object> texts = Iteration.Of(value).Select(item => (object)Repr.Text(key(item)));
        return StringMethods.Join(context, bound[0] is null ? "" : Repr.Text(bound[0]!), new LazySequence(texts));
    }

    public static object First(RenderContext context, object value, Arguments arguments) =>
        Iteration.Of(value).FirstOrDefault() ?? new Undefined("the sequence has no first element");

    public static object Last(RenderContext context, object value, Arguments arguments)
    {
        object[] items = Reversible(context, value);
        return items.Length > 0 ? items[^1] : new Undefined("the sequence has no last element");
    }

    public static object Reverse(RenderContext context, object value, Arguments arguments)
    {
        if (value is string text)
        {
            return Slicing.Apply(context, text, null, null, -1L);
        }

        object[] items = [.. Iteration.ToArray(context, value)];
        Array.Reverse(items);
        return value is LazySequence or Undefined ? new ListValue(items) : new LazySequence(items);
    }

    public static object Batch(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("batch", 1, "linecount", "fill_with");
        int size = Numbers.Small(bound[0]!, "the size of a batch");
        if (size > TemplateLimits.RangeLength)
        {
            throw new TemplateFault("the size of a batch is too large");
        }

        return new LazySequence(Batches(context, value, size, bound[1]), value);
    }

    public static object Slice(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("slice", 1, "slices", "fill_with");
        int slices = Numbers.Small(bound[0]!, "the number of slices");
        if (slices is 0 or > TemplateLimits.RangeLength)
        {
            throw new TemplateFault($"a sequence cannot be cut into {slices} slices");
        }

        return new LazySequence(Slices(context, Iteration.ToArray(context, value), slices, bound[1]));
    }

    public static object Items(RenderContext context, object value, Arguments arguments)
    {
        arguments.Bind("items", 0);
        return value switch
        {
            Undefined => new LazySequence([]),
            DictValue dict => new LazySequence(new DictView(dict, "dict_items").Items()),
            _ => throw new TemplateFault($"{TypeNames.Of(value)} has no items"),
        };
    }

    private static object[] Reversible(RenderContext context, object value) => value switch
    {
        LazySequence => throw new TemplateFault("a generator has no last element"),
        _ => Iteration.ToArray(context, value),
    };

    private static IEnumerable<object> Batches(RenderContext context, object value, int size, object? fill)
    {
        var batch = new List<object>();
        foreach (object item in Iteration.Of(value))
        {
            context.Charge(1);
            if (batch.Count == size)
            {
                yield return new ListValue([.. batch]);
                batch.Clear();
            }

            batch.Add(item);
        }

        if (batch.Count == 0)
        {
            yield break;
        }

        while (fill is not (null or None) && batch.Count < size)
        {
            context.Charge(1);
            batch.Add(fill);
        }

        yield return new ListValue([.. batch]);
    }

    private static IEnumerable<object> Slices(RenderContext context, object[] items, int slices, object? fill)
    {
        int size = items.Length / slices, longer = items.Length - (size * slices), at = 0;
        for (int i = 0; i < slices; i++)
        {
            int count = size + (i < longer ? 1 : 0);
            context.Charge(1 + count);
            object[] part = items[at..(at + count)];
            at += count;
            yield return new ListValue(fill is null or None || i < longer ? part : [.. part, fill]);
        }
    }
}
