namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>The text is not JSON, at <see cref="Span"/>.</summary>
internal sealed class JsonSyntaxException(string message, SourceSpan span) : Exception(message)
{
    public SourceSpan Span { get; } = span;
}
