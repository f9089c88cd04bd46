using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Writes text with one UTF-16 character per code point, astral ones replaced by a stand-in of the same Unicode category.</summary>
internal sealed class CodePointProjection
{
    private readonly char[] _standIns = new char[30];

    /// <param name="literals">Characters a pattern names one by one or in ranges, which no stand-in may be.</param>
    public CodePointProjection(IReadOnlyList<(char First, char Last)> literals)
    {
        // From the top, so that stand-ins are rare characters.
        for (int value = char.MaxValue; value >= 0; value--)
        {
            char candidate = (char)value;
            int category = (int)char.GetUnicodeCategory(candidate);
            if (_standIns[category] == 0 && !literals.Any(range => candidate >= range.First && candidate <= range.Last))
            {
                _standIns[category] = candidate;
            }
        }
    }

    /// <summary>Whether the text has astral characters: on all others, both engines agree about every category.</summary>
    public static bool IsNeeded(ReadOnlySpan<char> text) => text.ContainsAnyInRange('\uD800', '\uDFFF');

    /// <returns>The projected text, and for each of its characters (and its end) where it starts in the original.</returns>
    public (char[] Projected, int[] Starts) Project(ReadOnlySpan<char> text)
    {
        char[] projected = new char[text.Length];
        int[] starts = new int[text.Length + 1];
        int count = 0;
        for (int at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text[at..], out Rune rune, out int length);
            projected[count] = rune.IsBmp ? (char)rune.Value : _standIns[(int)CharUnicodeInfo.GetUnicodeCategory(rune.Value)];
            starts[count++] = at;
            at += length;
        }

        starts[count] = text.Length;
        return (projected[..count], starts[..(count + 1)]);
    }
}
