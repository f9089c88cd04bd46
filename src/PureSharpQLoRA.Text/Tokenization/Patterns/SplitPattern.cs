namespace PureSharpQLoRA.Text;

/// <summary>A stretch of text that a pattern matched, or one that lies between its matches.</summary>
internal readonly record struct PatternSpan(int Start, int Length, bool IsMatch)
{
    public int End => Start + Length;
}

/// <summary>Something that cuts text into matches and what lies between them.</summary>
internal abstract class SplitPattern
{
    /// <summary>Adds spans that cover the whole text, in order, none of them empty unless a match is.</summary>
    public abstract void Cut(ReadOnlySpan<char> text, List<PatternSpan> to);

    /// <summary>A "pattern" field: {"String": ...} or {"Regex": ...}.</summary>
    public static SplitPattern Load(JsonField json)
    {
        if (json.Find("String") is { } literal)
        {
            return literal.String() is { Length: > 0 } text ? new LiteralPattern(text) : throw literal.Wrong("at least one character");
        }

        return json.Find("Regex") is { } regex ? new RegexPattern(regex.String(), regex) : throw json.Wrong("{\"String\": ...} or {\"Regex\": ...}");
    }

    /// <summary>Adds a match, and before it the stretch since the previous match.</summary>
    protected static void AddMatch(List<PatternSpan> to, ref int previous, int start, int length)
    {
        if (previous != start)
        {
            to.Add(new PatternSpan(previous, start - previous, IsMatch: false));
        }

        to.Add(new PatternSpan(start, length, IsMatch: true));
        previous = start + length;
    }

    /// <summary>Adds what follows the last match.</summary>
    protected static void AddRest(List<PatternSpan> to, int previous, int length)
    {
        if (previous != length)
        {
            to.Add(new PatternSpan(previous, length - previous, IsMatch: false));
        }
    }
}
