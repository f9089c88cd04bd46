namespace PureSharpQLoRA.Text.Templates;

/// <summary>A variable, attribute or element that is not there: prints as nothing and is empty and false, and fails in every other use.</summary>
/// <param name="message">What is not there.</param>
internal sealed class Undefined(string message)
{
    public TemplateFault Fault() => new(message);

    public static Undefined Variable(string name) => new($"'{name}' is undefined");

    public static Undefined Attribute(object owner, object name) =>
        new(name is string text ? $"{TypeNames.Of(owner)} has no attribute '{text}'" : $"{TypeNames.Of(owner)} has no element {Repr.Of(name)}");
}
