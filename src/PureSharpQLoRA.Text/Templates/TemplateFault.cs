namespace PureSharpQLoRA.Text.Templates;

/// <summary>An operation that cannot be done; whoever renders knows the place and makes a <see cref="TemplateException"/> of it.</summary>
internal sealed class TemplateFault(string reason) : Exception(reason)
{
    /// <summary>The fault of an operation on values of the wrong types.</summary>
    public static TemplateFault Unsupported(string operation, object left, object right) =>
        new($"{operation} does not work between {TypeNames.Of(left)} and {TypeNames.Of(right)}");
}
