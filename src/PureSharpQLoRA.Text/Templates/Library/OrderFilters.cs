namespace PureSharpQLoRA.Text.Templates;

/// <summary>Filters that order or compare the elements of sequences.</summary>
internal static class OrderFilters
{
    public static object DictSort(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("dictsort", 0, "case_sensitive", "by", "reverse");
        object by = bound[1] ?? "key";
        if (by is not ("key" or "value"))
        {
            throw new TemplateFault("dictsort sorts by 'key' or 'value'");
        }

        object[] pairs = value is DictValue dict ? [.. new DictView(dict, "dict_items").Items()]
            : throw (value as Undefined)?.Fault() ?? new TemplateFault($"{TypeNames.Of(value)} has no items to sort");
        Func<object, object> key = AttributePath.Key(context, by is "key" ? 0L : 1L, bound[0]);
        return new ListValue(Sorted(context, pairs, key, bound[2]));
    }

    public static object Sort(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("sort", 0, "reverse", "case_sensitive", "attribute");
        Func<object, object> key = bound[2] is string several && several.Contains(',', StringComparison.Ordinal)
            ? Several([.. several.Split(',').Select(part => AttributePath.Key(context, part, bound[1]))])
            : Single(AttributePath.Key(context, bound[2], bound[1]));
        return new ListValue(Sorted(context, Iteration.ToArray(context, value), key, bound[0]));
    }

    public static object Unique(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("unique", 0, "case_sensitive", "attribute");
        return new LazySequence(Distinct(context, value, AttributePath.Key(context, bound[1], bound[0])), value);
    }

    public static object Extreme(RenderContext context, object value, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, 0, "case_sensitive", "attribute");
        Func<object, object> key = AttributePath.Key(context, bound[1], bound[0]);
        object? best = null, bestKey = null;
        foreach (object item in Iteration.Of(value))
        {
            context.Charge(2);
            object itemKey = key(item);
            if (best is null || Operators.Compare(context, name == "min" ? "<" : ">", itemKey, bestKey!))
            {
                (best, bestKey) = (item, itemKey);
            }
        }

        return best ?? new Undefined($"the sequence has no {name}imum, as it is empty");
    }

    public static object GroupBy(RenderContext context, object value, Arguments arguments)
    {
        object?[] bound = arguments.Bind("groupby", 1, "attribute", "default", "case_sensitive");
        Func<object, object> key = AttributePath.Key(context, bound[0], bound[2], bound[1]), plain = AttributePath.Getter(context, bound[0], bound[1]);
        var groups = new List<(object Key, object Name, List<object> Items)>();
        foreach (object item in Sorted(context, Iteration.ToArray(context, value), key, null))
        {
            object itemKey = key(item);
            if (groups.Count == 0 || !Operators.Compare(context, "==", groups[^1].Key, itemKey))
            {
                groups.Add((itemKey, plain(item), []));
            }

            groups[^1].Items.Add(item);
        }

        return new ListValue([.. groups.Select(group => new TupleValue([group.Name, new ListValue([.. group.Items])], ["grouper", "list"]))]);
    }

    private static Func<object, object> Single(Func<object, object> key) => item => new TupleValue([key(item)]);

    private static Func<object, object> Several(Func<object, object>[] keys) => item => new TupleValue(Array.ConvertAll(keys, key => key(item)));

    /// <summary>A stable sort, as Python's is; in reverse, equal elements keep their order too.</summary>
    private static object[] Sorted(RenderContext context, object[] items, Func<object, object> key, object? reverse)
    {
        int direction = reverse is { } flag && Comparison.IsTrue(flag) ? -1 : 1;
        (object Key, object Item)[] keyed = Array.ConvertAll(items, item => (key(item), item));
        context.Charge(4L * items.Length);
        return Array.ConvertAll(StableSort.Sorted(keyed, (a, b) => direction * Order(context, a.Key, b.Key)), static pair => pair.Item);
    }

    private static int Order(RenderContext context, object left, object right)
    {
        context.Charge(1);
        return Comparison.Order(left, right, "<") ?? 0;
    }

    private static IEnumerable<object> Distinct(RenderContext context, object value, Func<object, object> key)
    {
        var seen = new HashSet<object>(KeyComparer.Instance);
        foreach (object item in Iteration.Of(value))
        {
            context.Charge(2);
            object itemKey = key(item);
            if (!DictValue.IsKey(itemKey))
            {
                throw new TemplateFault($"unique needs values that can be keys, and one is {TypeNames.Of(itemKey)}");
            }

            if (seen.Add(itemKey))
            {
                yield return item;
            }
        }
    }
}
