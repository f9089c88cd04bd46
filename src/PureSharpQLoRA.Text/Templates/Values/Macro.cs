namespace PureSharpQLoRA.Text.Templates;

/// <summary>A macro, or the body of a call block.</summary>
internal sealed class Macro(MacroDefinition definition, Scope scope) : Callable(definition.Name ?? "caller")
{
    public bool IsAnonymous => definition.Name is null;

    public override object Call(RenderContext context, Arguments arguments) => definition.Call(context, scope, arguments);

    /// <summary>The attributes of a macro that templates may read.</summary>
    public object? Find(string attribute) => attribute switch
    {
        "name" => definition.Name is null ? None.Value : definition.Name,
        "arguments" => new TupleValue([.. definition.Parameters]),
        "catch_kwargs" => Boxed.Truth(definition.CatchesNamed),
        "catch_varargs" => Boxed.Truth(definition.CatchesPositional),
        "caller" => Boxed.Truth(definition.UsesCaller),
        _ => null,
    };
}
