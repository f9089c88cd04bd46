namespace PureSharpQLoRA.Text.Templates;

/// <summary><c>{% for a in b if c recursive %}...{% else %}...{% endfor %}</c></summary>
internal sealed class ForStatement(int offset, AssignmentTarget target, Expression source, Expression? condition, bool isRecursive, Body body, Body? otherwise)
    : Statement(offset)
{
    /// <summary>The name of the loop's own variable.</summary>
    private const string LoopName = "loop";

    public bool IsRecursive => isRecursive;

    public bool IsFiltered => condition is not null;

    public override Flow Execute(RenderContext context)
    {
        object values = source.Evaluate(context);
        if (isRecursive)
        {
            string text = Render(context, values, 0);
            context.Write(text);
        }
        else
        {
            Run(context, values, 0);
        }

        return Flow.Next;
    }

    /// <summary>The text of the loop over values.</summary>
    public string Render(RenderContext context, object values, int depth) => context.Capture(new Pass(this, values, depth));

    private void Run(RenderContext context, object values, int depth)
    {
        context.Offset = source.Offset;
        Scope outer = context.Scope;
        IEnumerable<object> items = Iteration.Of(values);
        var loop = new LoopState(values, condition is null ? items : Filtered(context, items, outer), this, outer, depth);
        bool ran = false;
        Scope? scope = null;
        try
        {
            while (true)
            {
                context.Offset = Offset;
                context.Scope = outer;
                if (loop.Next() is not { } item)
                {
                    break;
                }

                context.Charge(2);
                if (scope is null or { IsCaptured: true })
                {
                    scope = new Scope(outer);
                }

                scope.Clear();
                context.Scope = body.Begin(scope);
                scope.Set(LoopName, loop);
                target.Assign(context, item);
                Flow flow = body.Execute(context);
                if (flow == Flow.Break)
                {
                    break;
                }

                // As in Jinja, a pass cut short by break or continue does not count for the else branch.
                ran |= flow == Flow.Next;
            }

            if (!ran && otherwise is not null)
            {
                context.Scope = otherwise.NewScope(outer);
                otherwise.Execute(context);
            }
        }
        finally
        {
            context.Scope = outer;
        }
    }

    private IEnumerable<object> Filtered(RenderContext context, IEnumerable<object> items, Scope outer)
    {
        foreach (object item in items)
        {
            Scope current = context.Scope;
            context.Scope = new Scope(outer);
            context.Charge(1);
            target.Assign(context, item);
            bool holds = Comparison.IsTrue(condition!.Evaluate(context));
            context.Scope = current;
            if (holds)
            {
                yield return item;
            }
        }
    }

    /// <summary>The loop as a statement over given values.</summary>
    private sealed class Pass(ForStatement loop, object values, int depth) : Statement(loop.Offset)
    {
        public override Flow Execute(RenderContext context)
        {
            loop.Run(context, values, depth);
            return Flow.Next;
        }
    }
}
