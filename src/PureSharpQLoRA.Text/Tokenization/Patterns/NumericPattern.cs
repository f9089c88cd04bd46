using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Matches every single character of the Unicode categories Nd, Nl and No.</summary>
internal sealed class NumericPattern : SplitPattern
{
    public override void Cut(ReadOnlySpan<char> text, List<PatternSpan> to)
    {
        int previous = 0;
        for (int at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text[at..], out Rune rune, out int length);
            if (Rune.IsNumber(rune))
            {
                AddMatch(to, ref previous, at, length);
            }

            at += length;
        }

        AddRest(to, previous, text.Length);
    }
}
