namespace PureSharpQLoRA.Text.Templates;

/// <summary>A macro as written: its parameters, the defaults of the last ones, and its body.</summary>
internal sealed class MacroDefinition(int offset, string? name, string[] parameters, Expression[] defaults, Body body) : Node(offset)
{
    private const string CallerName = "caller", NamedName = "kwargs", PositionalName = "varargs";

    public string? Name => name;

    public string[] Parameters => parameters;

    public bool UsesCaller { get; init; }

    public bool CatchesNamed { get; init; }

    public bool CatchesPositional { get; init; }

    public string Call(RenderContext context, Scope outer, Arguments arguments)
    {
        Scope scope = body.NewScope(outer);
        object?[] given = new object?[parameters.Length];
        int positional = Math.Min(arguments.Positional.Length, parameters.Length);
        Array.Copy(arguments.Positional, given, positional);
        var named = new List<KeyValuePair<string, object>>(arguments.Named);
        for (int i = positional; i < parameters.Length; i++)
        {
            given[i] = Take(named, parameters[i]);
        }

        if (UsesCaller && !parameters.Contains(CallerName))
        {
            scope.Set(CallerName, Take(named, CallerName) ?? new Undefined("No caller defined"));
        }

        SetRest(scope, arguments, named);
        return context.Nested(scope, nested =>
        {
            for (int i = 0; i < given.Length; i++)
            {
                int at = i - (parameters.Length - defaults.Length);
                scope.Set(parameters[i], given[i] ?? (at >= 0 ? defaults[at].Evaluate(nested) : new Undefined($"parameter '{parameters[i]}' was not provided")));
            }

            return nested.Capture(body);
        });
    }

    /// <summary>Arguments that no parameter takes.</summary>
    private void SetRest(Scope scope, Arguments arguments, List<KeyValuePair<string, object>> named)
    {
        if (CatchesNamed)
        {
            var dict = new DictValue(named.Count);
            foreach ((string key, object value) in named)
            {
                dict.Set(key, value);
            }

            scope.Set(NamedName, dict);
        }
        else if (named.Count > 0)
        {
            throw new TemplateFault($"the macro '{name}' has no parameter '{named[0].Key}'");
        }

        if (CatchesPositional)
        {
            scope.Set(PositionalName, new TupleValue(arguments.Positional[Math.Min(arguments.Positional.Length, parameters.Length)..]));
        }
        else if (arguments.Positional.Length > parameters.Length)
        {
            throw new TemplateFault($"the macro '{name}' takes at most {parameters.Length} arguments, and got {arguments.Positional.Length}");
        }
    }

    private static object? Take(List<KeyValuePair<string, object>> named, string parameter)
    {
        int at = named.FindIndex(argument => argument.Key == parameter);
        if (at < 0)
        {
            return null;
        }

        object value = named[at].Value;
        named.RemoveAt(at);
        return value;
    }
}
