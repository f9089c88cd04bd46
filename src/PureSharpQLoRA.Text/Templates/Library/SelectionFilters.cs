namespace PureSharpQLoRA.Text.Templates;

/// <summary>Filters that apply other filters and tests to each element.</summary>
internal static class SelectionFilters
{
    public static object Map(RenderContext context, object value, Arguments arguments) => new LazySequence(Mapped(context, value, arguments), value);

    public static object Select(RenderContext context, object value, Arguments arguments, string name) => new LazySequence(Selected(context, value, arguments, name), value);

    private static IEnumerable<object> Mapped(RenderContext context, object value, Arguments arguments)
    {
        if (!Comparison.IsTrue(value))
        {
            yield break;
        }

        Func<object, object> change = Change(context, arguments);
        foreach (object item in Iteration.Of(value))
        {
            context.Charge(2);
            yield return change(item);
        }
    }

    private static Func<object, object> Change(RenderContext context, Arguments arguments)
    {
        if (arguments.Positional.Length == 0 && Array.Exists(arguments.Named, argument => argument.Key == "attribute"))
        {
            object?[] bound = arguments.Bind("map", 0, "attribute", "default");
            return AttributePath.Getter(context, bound[0], bound[1]);
        }

        string name = arguments.Positional is [string first, ..] ? first : throw new TemplateFault("map needs the name of a filter, or attribute=...");
        Filter filter = Filters.All.TryGetValue(name, out Filter? found) ? found : throw new TemplateFault($"there is no filter '{name}'");
        Arguments rest = arguments.Skip(1);
        return item => filter(context, item, rest);
    }

    private static IEnumerable<object> Selected(RenderContext context, object value, Arguments arguments, string name)
    {
        if (!Comparison.IsTrue(value))
        {
            yield break;
        }

        bool byAttribute = name.EndsWith("attr", StringComparison.Ordinal), wanted = name.StartsWith("select", StringComparison.Ordinal);
        if (byAttribute && arguments.Positional.Length == 0)
        {
            throw new TemplateFault($"{name} needs the name of an attribute");
        }

        Func<object, object> subject = AttributePath.Getter(context, byAttribute ? arguments.Positional[0] : null, null);
        Func<object, bool> holds = Condition(context, byAttribute ? arguments.Skip(1) : arguments);
        foreach (object item in Iteration.Of(value))
        {
            context.Charge(2);
            if (holds(subject(item)) == wanted)
            {
                yield return item;
            }
        }
    }

    private static Func<object, bool> Condition(RenderContext context, Arguments arguments)
    {
        if (arguments.Positional.Length == 0)
        {
            return Comparison.IsTrue;
        }

        string name = arguments.Positional[0] as string ?? throw new TemplateFault("the name of a test must be a string");
        Test test = Tests.All.TryGetValue(name, out Test? found) ? found : throw new TemplateFault($"there is no test '{name}'");
        Arguments rest = arguments.Skip(1);
        return item => test(context, item, rest);
    }
}
