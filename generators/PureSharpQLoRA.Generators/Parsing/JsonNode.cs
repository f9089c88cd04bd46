namespace PureSharpQLoRA.Generators.Parsing;

internal enum JsonKind
{
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

/// <summary>A JSON value and its place. Arrays and objects are placed at their opening bracket.</summary>
internal sealed class JsonNode(JsonKind kind, SourceSpan span, string text = "")
{
    public JsonKind Kind { get; } = kind;

    public SourceSpan Span { get; } = span;

    /// <summary>A string's value; a number's or literal's spelling.</summary>
    public string Text { get; } = text;

    public List<JsonNode> Items { get; } = [];

    public Dictionary<string, JsonNode> Members { get; } = new(StringComparer.Ordinal);

    /// <summary>How messages quote the value.</summary>
    public string Shown => Kind switch
    {
        JsonKind.String => "\"" + (Text.Length > 60 ? Text.Substring(0, 60) + "..." : Text) + "\"",
        JsonKind.Array => "a list",
        JsonKind.Object => "an object",
        _ => Text,
    };
}
