namespace PureSharpQLoRA.Text.Templates;

/// <summary>A text that the filters <c>safe</c> and <c>escape</c> give: what is added to it by <c>+</c> is escaped for HTML. In all else it is a plain text.</summary>
/// <param name="Text">The text.</param>
internal sealed record Markup(string Text)
{
    /// <summary>The plain text of markup; other values as they are.</summary>
    public static object Plain(object value) => value is Markup markup ? markup.Text : value;

    public static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal).Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    /// <summary>The sum of two texts of which at least one is markup, or null where the other is no text.</summary>
    public static Markup? Sum(object left, object right) => Escaped(left) is { } a && Escaped(right) is { } b ? new Markup(a + b) : null;

    private static string? Escaped(object value) => value switch
    {
        Markup markup => markup.Text,
        string text => Escape(text),
        _ => null,
    };
}
