namespace PureSharpQLoRA.Text.Templates;

/// <summary>What a value is assigned to: a name, names in a row, or an attribute of a namespace.</summary>
internal abstract class AssignmentTarget(int offset) : Node(offset)
{
    public abstract void Assign(RenderContext context, object value);
}

/// <summary><c>a</c></summary>
internal sealed class NameTarget(int offset, string name) : AssignmentTarget(offset)
{
    public string Name => name;

    public override void Assign(RenderContext context, object value) => context.Scope.Set(name, value);
}

/// <summary><c>a, b</c></summary>
internal sealed class TupleTarget(int offset, AssignmentTarget[] targets) : AssignmentTarget(offset)
{
    public AssignmentTarget[] Targets => targets;

    public override void Assign(RenderContext context, object value)
    {
        object[] values = Iteration.ToArray(context, value);
        if (values.Length != targets.Length)
        {
            throw new TemplateFault($"{values.Length} values cannot be assigned to {targets.Length} names");
        }

        for (int i = 0; i < values.Length; i++)
        {
            targets[i].Assign(context, values[i]);
        }
    }
}

/// <summary><c>space.a</c></summary>
internal sealed class NamespaceTarget(int offset, string space, string attribute) : AssignmentTarget(offset)
{
    public string Space => space;

    public override void Assign(RenderContext context, object value)
    {
        context.Offset = Offset;
        object owner = context.Variable(space);
        (owner as Namespace ?? throw new TemplateFault($"attributes can only be set on a namespace, and '{space}' is {TypeNames.Of(owner)}")).Set(attribute, value);
    }
}
