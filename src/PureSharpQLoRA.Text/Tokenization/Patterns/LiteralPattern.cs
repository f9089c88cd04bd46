namespace PureSharpQLoRA.Text;

/// <summary>Matches one fixed string.</summary>
internal sealed class LiteralPattern(string text) : SplitPattern
{
    public string Text => text;

    public override void Cut(ReadOnlySpan<char> input, List<PatternSpan> to)
    {
        int previous = 0;
        for (int at; (at = input[previous..].IndexOf(text, StringComparison.Ordinal)) >= 0;)
        {
            AddMatch(to, ref previous, previous + at, text.Length);
        }

        AddRest(to, previous, input.Length);
    }
}
