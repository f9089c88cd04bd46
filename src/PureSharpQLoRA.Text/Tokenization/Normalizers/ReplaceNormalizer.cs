using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Replaces every match of a pattern.</summary>
internal sealed class ReplaceNormalizer(SplitPattern pattern, string content) : Normalizer
{
    public override string Normalize(string text)
    {
        if (pattern is LiteralPattern literal)
        {
            return text.Replace(literal.Text, content, StringComparison.Ordinal);
        }

        var spans = new List<PatternSpan>();
        pattern.Cut(text, spans);
        var result = new StringBuilder(text.Length);
        foreach (PatternSpan span in spans)
        {
            result.Append(span.IsMatch ? content : text.AsSpan(span.Start, span.Length));
        }

        return result.ToString();
    }

    public override string Normalize(string text, ref TextSpan[] spans)
    {
        var matches = new List<PatternSpan>();
        pattern.Cut(text, matches);
        var result = new List<TextSpan>(spans.Length);
        foreach (PatternSpan match in matches)
        {
            if (match.IsMatch)
            {
                result.AddRange(Enumerable.Repeat(Covering(spans, match.Start, match.End), content.Length));
            }
            else
            {
                result.AddRange(spans.AsSpan(match.Start, match.Length));
            }
        }

        spans = [.. result];
        return Normalize(text);
    }
}
