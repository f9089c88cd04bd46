namespace PureSharpQLoRA.Text.Templates;

/// <summary>What a function, filter, test or macro is called with.</summary>
/// <param name="Positional">By position.</param>
/// <param name="Named">By name.</param>
internal readonly record struct Arguments(object[] Positional, KeyValuePair<string, object>[] Named)
{
    public static readonly Arguments None = new([], []);

    public static Arguments Of(params object[] positional) => new(positional, []);

    /// <summary>Puts arguments in the order of the parameters; null where one was not given.</summary>
    /// <param name="function">Its name, for complaints.</param>
    /// <param name="required">How many of the parameters must be given.</param>
    /// <param name="parameters">The names of the parameters; those with an empty name go by position only.</param>
    public object?[] Bind(string function, int required, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Length > parameters.Length)
        {
            throw new TemplateFault($"{function} takes at most {parameters.Length} arguments, and got {Positional.Length}");
        }

        object?[] bound = new object?[parameters.Length];
        Positional.CopyTo(bound, 0);
        foreach ((string name, object value) in Named)
        {
            int at = name.Length == 0 ? -1 : parameters.IndexOf(name);
            if (at < 0)
            {
                throw new TemplateFault($"{function} has no parameter '{name}'");
            }

            bound[at] = bound[at] is null ? value : throw new TemplateFault($"{function} got the parameter '{name}' twice");
        }

        for (int i = 0; i < required; i++)
        {
            if (bound[i] is null)
            {
                throw new TemplateFault($"{function} needs {required} arguments, and argument {i + 1} is missing");
            }
        }

        return bound;
    }

    /// <summary>All positional arguments but the first ones.</summary>
    public Arguments Skip(int count) => this with { Positional = Positional[count..] };
}
