using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Byte-pair encoding: which characters of a piece its tokens stand for.</summary>
internal sealed partial class BytePairModel
{
    /// <summary>Adds where in the original text each token of a piece comes from.</summary>
    /// <param name="piece">The piece.</param>
    /// <param name="sources">Where its characters come from.</param>
    /// <param name="ids">Its tokens.</param>
    /// <param name="to">The list to add to.</param>
    public void AddSpans(ReadOnlySpan<char> piece, ReadOnlySpan<TextSpan> sources, ReadOnlySpan<int> ids, List<TextSpan> to)
    {
        int at = 0, bytesLeft = 0;
        for (int i = 0; i < ids.Length; i++)
        {
            int start = at, end;
            if (bytesLeft > 0 || IsByte(ids[i]))
            {
                Rune.DecodeFromUtf16(piece[at..], out Rune rune, out int units);
                end = at + units;
                bytesLeft = (bytesLeft > 0 ? bytesLeft : rune.Utf8SequenceLength) - 1;
                at = bytesLeft == 0 ? end : at;
            }
            else if (ids[i] == _unknownId && !StartsWith(piece[at..], ids[i]))
            {
                // An unknown token stands for all that the next token does not.
                at = end = EndOfUnknown(piece, at, i + 1 < ids.Length ? ids[i + 1] : null);
            }
            else
            {
                // What the vocabulary cannot spell, and has no token for, is skipped.
                start += Math.Max(piece[at..].IndexOf(_tokens[ids[i]]), 0);
                at = end = Math.Min(start + _tokens[ids[i]]!.Length, piece.Length);
            }

            to.Add(start < end ? new TextSpan(sources[start].Start, sources[end - 1].End) : new TextSpan(sources[^1].End, sources[^1].End));
        }
    }

    private int EndOfUnknown(ReadOnlySpan<char> piece, int start, int? next)
    {
        int end = start;
        do
        {
            Rune.DecodeFromUtf16(piece[end..], out _, out int units);
            end += units;
        }
        while (_fuseUnknown && end < piece.Length && next is { } id && !IsByte(id) && !StartsWith(piece[end..], id));

        return _fuseUnknown && next is null ? piece.Length : end;
    }

    private bool StartsWith(ReadOnlySpan<char> text, int id) => text.StartsWith(_tokens[id]);

    private bool IsByte(int id) => _tokens[id] is { Length: 6 } token && token.StartsWith("<0x", StringComparison.Ordinal) && Array.IndexOf(_byteIds, id) >= 0;
}
