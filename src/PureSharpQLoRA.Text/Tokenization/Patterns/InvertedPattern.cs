using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Text;

/// <summary>Matches exactly what another pattern leaves over.</summary>
internal sealed class InvertedPattern(SplitPattern pattern) : SplitPattern
{
    public override void Cut(ReadOnlySpan<char> text, List<PatternSpan> to)
    {
        int first = to.Count;
        pattern.Cut(text, to);
        foreach (ref PatternSpan span in CollectionsMarshal.AsSpan(to)[first..])
        {
            span = span with { IsMatch = !span.IsMatch };
        }
    }
}
