namespace PureSharpQLoRA.Text.Templates;

/// <summary><c>a.name</c></summary>
internal sealed class AttributeExpression(int offset, Expression owner, string name) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object value = owner.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        return Attributes.OfName(context, value, name);
    }
}

/// <summary><c>a[key]</c></summary>
internal sealed class ElementExpression(int offset, Expression owner, Expression key) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object value = owner.Evaluate(context), keyValue = key.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        return Attributes.OfElement(context, value, keyValue);
    }
}

/// <summary><c>a[start:stop:step]</c></summary>
internal sealed class SliceExpression(int offset, Expression owner, Expression? start, Expression? stop, Expression? step) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object value = owner.Evaluate(context);
        object? from = start?.Evaluate(context), to = stop?.Evaluate(context), by = step?.Evaluate(context);
        context.Offset = Offset;
        return Slicing.Apply(context, Markup.Plain(value), from, to, by);
    }
}

/// <summary>The arguments of a call, as written.</summary>
/// <param name="Positional">By position.</param>
/// <param name="Named">By name.</param>
/// <param name="Spread">After one star: a sequence of further arguments.</param>
/// <param name="SpreadNamed">After two stars: a dict of further arguments.</param>
internal sealed record CallArguments(Expression[] Positional, (string Name, Expression Value)[] Named, Expression? Spread, Expression? SpreadNamed)
{
    public static readonly CallArguments None = new([], [], null, null);

    public Arguments Evaluate(RenderContext context)
    {
        if (ReferenceEquals(this, None))
        {
            return Arguments.None;
        }

        var positional = new List<object>(Positional.Length);
        foreach (Expression item in Positional)
        {
            positional.Add(item.Evaluate(context));
        }

        var named = new KeyValuePair<string, object>[Named.Length];
        for (int i = 0; i < named.Length; i++)
        {
            named[i] = KeyValuePair.Create(Named[i].Name, Named[i].Value.Evaluate(context));
        }

        if (Spread?.Evaluate(context) is { } spread)
        {
            positional.AddRange(Iteration.ToArray(context, spread));
        }

        if (SpreadNamed?.Evaluate(context) is { } spreadNamed)
        {
            named = [.. named, .. Entries(spreadNamed, named)];
        }

        context.Charge(1 + positional.Count + named.Length);
        return new Arguments([.. positional], named);
    }

    private static IEnumerable<KeyValuePair<string, object>> Entries(object value, KeyValuePair<string, object>[] named)
    {
        if (value is not DictValue dict)
        {
            throw (value as Undefined)?.Fault() ?? new TemplateFault($"what follows ** must be a dict, and is {TypeNames.Of(value)}");
        }

        foreach ((object key, object entry) in dict.Entries)
        {
            string name = key as string ?? throw new TemplateFault("the keys of a dict that follows ** must be strings");
            yield return Array.Exists(named, argument => argument.Key == name) ? throw new TemplateFault($"the parameter '{name}' is given twice")
                : KeyValuePair.Create(string.Intern(name), entry);
        }
    }
}

/// <summary><c>a(...)</c></summary>
internal sealed class CallExpression(int offset, Expression target, CallArguments arguments) : Expression(offset)
{
    public override object Evaluate(RenderContext context) => Call(context, null);

    /// <summary>Calls with the body of a call block.</summary>
    public object Call(RenderContext context, Macro? caller)
    {
        object callee = target.Evaluate(context);
        Arguments values = arguments.Evaluate(context);
        if (caller is not null)
        {
            values = values with { Named = [.. values.Named, KeyValuePair.Create<string, object>("caller", caller)] };
        }

        context.Charge(1);
        context.Offset = Offset;
        return Callable.Call(context, callee, values);
    }
}

/// <summary><c>a|name(...)</c>; without a value, the text of a filter or set block.</summary>
internal sealed class FilterExpression(int offset, string name, Filter? filter, Expression? operand, CallArguments arguments) : Expression(offset)
{
    public override object Evaluate(RenderContext context) => Apply(context, "");

    /// <param name="context">The rendering.</param>
    /// <param name="text">The text of the block, taken where the filter has no operand of its own.</param>
    public object Apply(RenderContext context, object text)
    {
        object value = operand switch
        {
            null => text,
            FilterExpression inner => inner.Apply(context, text),
            _ => operand.Evaluate(context),
        };
        Arguments values = arguments.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        return filter is null ? throw new TemplateFault($"there is no filter '{name}'") : filter(context, value, values);
    }
}

/// <summary><c>a is name ...</c></summary>
internal sealed class TestExpression(int offset, string name, Test? test, Expression operand, CallArguments arguments) : Expression(offset)
{
    public override object Evaluate(RenderContext context)
    {
        object value = operand.Evaluate(context);
        Arguments values = arguments.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        return test is null ? throw new TemplateFault($"there is no test '{name}'") : Boxed.Truth(test(context, Markup.Plain(value), values));
    }
}
