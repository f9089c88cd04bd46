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
            if (IsNumeric(rune))
            {
                AddMatch(to, ref previous, at, length);
            }

            at += length;
        }

        AddRest(to, previous, text.Length);
    }

    /// <summary>The reference library is a Unicode version ahead of .NET 10 here: it knows the numbers that Unicode 17 added.</summary>
    private static bool IsNumeric(Rune rune) =>
        Rune.IsNumber(rune) || rune.Value is (>= 0x11DE0 and <= 0x11DE9) or (>= 0x16FF4 and <= 0x16FF6);
}
