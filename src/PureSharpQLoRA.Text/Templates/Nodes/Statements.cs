namespace PureSharpQLoRA.Text.Templates;

/// <summary>Statements one after the other.</summary>
internal sealed class Body(int offset, Statement[] statements) : Statement(offset)
{
    /// <summary>Where the body is a frame: names that are unset when it begins, whatever variables the template was given.</summary>
    public string[] UnsetNames { get; set; } = [];

    /// <summary>A frame for the body.</summary>
    public Scope NewScope(Scope? outer) => Begin(new Scope(outer));

    /// <summary>Makes a frame ready for the body.</summary>
    public Scope Begin(Scope scope)
    {
        foreach (string name in UnsetNames)
        {
            scope.Set(name, Unset.Value);
        }

        return scope;
    }

    public override Flow Execute(RenderContext context)
    {
        foreach (Statement statement in statements)
        {
            Flow flow = statement.Execute(context);
            if (flow != Flow.Next)
            {
                return flow;
            }
        }

        return Flow.Next;
    }
}

/// <summary>Text outside of tags.</summary>
internal sealed class DataStatement(int offset, string text) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        context.Offset = Offset;
        context.Write(text);
        return Flow.Next;
    }
}

/// <summary><c>{{ a }}</c></summary>
internal sealed class OutputStatement(int offset, Expression value) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        object result = value.Evaluate(context);
        context.Offset = Offset;
        context.Write(Repr.Text(result));
        return Flow.Next;
    }
}

/// <summary><c>{% if a %}...{% elif b %}...{% else %}...{% endif %}</c></summary>
internal sealed class IfStatement(int offset, (Expression Condition, Body Then)[] branches, Body? otherwise) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        context.Charge(1);
        foreach ((Expression condition, Body then) in branches)
        {
            if (Comparison.IsTrue(condition.Evaluate(context)))
            {
                return then.Execute(context);
            }
        }

        return otherwise?.Execute(context) ?? Flow.Next;
    }
}

/// <summary><c>{% break %}</c> or <c>{% continue %}</c></summary>
internal sealed class JumpStatement(int offset, Flow flow) : Statement(offset)
{
    public override Flow Execute(RenderContext context) => flow;
}

/// <summary><c>{% set a = b %}</c></summary>
internal sealed class SetStatement(int offset, AssignmentTarget target, Expression value) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        object result = value.Evaluate(context);
        context.Charge(1);
        context.Offset = Offset;
        target.Assign(context, result);
        return Flow.Next;
    }
}

/// <summary><c>{% set a %}...{% endset %}</c></summary>
internal sealed class SetBlockStatement(int offset, AssignmentTarget target, FilterExpression? filter, Body body) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        object text = context.Nested(body.NewScope(context.Scope), nested => nested.Capture(body));
        target.Assign(context, filter is null ? text : filter.Apply(context, text));
        return Flow.Next;
    }
}

/// <summary><c>{% filter f %}...{% endfilter %}</c></summary>
internal sealed class FilterBlockStatement(int offset, FilterExpression filter, Body body) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        string text = context.Nested(body.NewScope(context.Scope), nested => nested.Capture(body));
        object result = filter.Apply(context, text);
        context.Offset = Offset;
        context.Write(Repr.Text(result));
        return Flow.Next;
    }
}

/// <summary><c>{% with a = b %}...{% endwith %}</c></summary>
internal sealed class WithStatement(int offset, (AssignmentTarget Target, Expression Value)[] assignments, Body body) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        object[] values = Array.ConvertAll(assignments, assignment => assignment.Value.Evaluate(context));
        Scope outer = context.Scope;
        context.Scope = body.NewScope(outer);
        try
        {
            context.Offset = Offset;
            for (int i = 0; i < values.Length; i++)
            {
                assignments[i].Target.Assign(context, values[i]);
            }

            return body.Execute(context);
        }
        finally
        {
            context.Scope = outer;
        }
    }
}

/// <summary><c>{% generation %}...{% endgeneration %}</c>: what the model is to learn to write.</summary>
internal sealed class GenerationStatement(int offset, Body body) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        int start = context.Output.Length;
        _ = context.Nested(body.NewScope(context.Scope), body.Execute);
        context.MarkGenerated(start);
        return Flow.Next;
    }
}

/// <summary><c>{% macro name(...) %}...{% endmacro %}</c></summary>
internal sealed class MacroStatement(int offset, MacroDefinition definition) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        context.Scope.Capture();
        context.Scope.Set(definition.Name!, new Macro(definition, context.Scope));
        return Flow.Next;
    }
}

/// <summary><c>{% call(...) name(...) %}...{% endcall %}</c></summary>
internal sealed class CallBlockStatement(int offset, CallExpression call, MacroDefinition body) : Statement(offset)
{
    public override Flow Execute(RenderContext context)
    {
        context.Scope.Capture();
        object result = call.Call(context, new Macro(body, context.Scope));
        context.Offset = Offset;
        context.Write(Repr.Text(result));
        return Flow.Next;
    }
}
