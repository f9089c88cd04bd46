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
}
