namespace PureSharpQLoRA.Text.Templates;

/// <summary>Something that can be called.</summary>
internal abstract class Callable(string name)
{
    public string Name { get; } = name;

    public abstract object Call(RenderContext context, Arguments arguments);

    /// <summary>Calls whatever value it is.</summary>
    public static object Call(RenderContext context, object target, Arguments arguments) => target switch
    {
        Callable callable => callable.Call(context, arguments),
        LoopState loop => loop.Recurse(context, arguments),
        Undefined undefined => throw undefined.Fault(),
        _ => throw new TemplateFault($"{TypeNames.Of(target)} cannot be called"),
    };
}

/// <summary>A function that templates have from the start.</summary>
internal sealed class BuiltIn(string name, Func<RenderContext, Arguments, object> body) : Callable(name)
{
    public override object Call(RenderContext context, Arguments arguments) => body(context, arguments);
}

/// <summary>A method of a value.</summary>
/// <typeparam name="T">The type of the value.</typeparam>
internal sealed class BoundMethod<T>(string name, T owner, Func<RenderContext, T, Arguments, object> body) : Callable(name)
{
    public override object Call(RenderContext context, Arguments arguments) => body(context, owner, arguments);
}
