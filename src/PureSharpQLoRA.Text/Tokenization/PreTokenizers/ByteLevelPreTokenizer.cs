using System.Buffers;
using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Rewrites every piece as its UTF-8 bytes, each byte one printable character.</summary>
internal sealed class ByteLevelPreTokenizer : PreTokenizer
{
    /// <summary>The pattern that byte-level vocabularies use unless they bring their own (from GPT-2).</summary>
    private const string DefaultPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public static IEnumerable<PreTokenizer> Load(JsonField json)
    {
        if (json.BoolOr("add_prefix_space", true))
        {
            yield return new PrefixSpacePreTokenizer();
        }

        if (json.BoolOr("use_regex", true))
        {
            yield return new SplitPreTokenizer(new RegexPattern(DefaultPattern, json), SplitBehavior.Isolated);
        }

        yield return new ByteLevelPreTokenizer();
    }

    public override void Apply(PieceBuffer input, PieceBuffer output, List<PatternSpan> scratch)
    {
        Span<byte> bytes = stackalloc byte[256];
        for (int i = 0; i < input.Count; i++)
        {
            ReadOnlySpan<char> rest = input.Text(i);
            ReadOnlySpan<TextSpan> spans = input.HasSpans ? input.Spans(i) : default;
            while (!rest.IsEmpty)
            {
                if (!spans.IsEmpty)
                {
                    int units = AppendRune(rest, spans, output);
                    rest = rest[units..];
                    spans = spans[units..];
                    continue;
                }

                OperationStatus status = System.Text.Unicode.Utf8.FromUtf16(rest, bytes, out int read, out int written);
                if (status == OperationStatus.InvalidData)
                {
                    throw new InvalidOperationException("Text must be well-formed UTF-16 before it is cut into bytes.");
                }

                for (int at = 0; at < written; at++)
                {
                    output.Append(ByteAlphabet.ToChar(bytes[at]));
                }

                rest = rest[read..];
            }

            output.Close(input[i].AtTextStart);
        }
    }

    /// <summary>Adds the bytes of one character, each with the stretch that the character comes from.</summary>
    /// <returns>UTF-16 units of the character.</returns>
    private static int AppendRune(ReadOnlySpan<char> text, ReadOnlySpan<TextSpan> spans, PieceBuffer output)
    {
        Rune.DecodeFromUtf16(text, out Rune rune, out int units);
        Span<byte> bytes = stackalloc byte[4];
        foreach (byte value in bytes[..rune.EncodeToUtf8(bytes)])
        {
            output.Append(ByteAlphabet.ToChar(value), new TextSpan(spans[0].Start, spans[units - 1].End));
        }

        return units;
    }

    /// <summary>Puts a space before a piece that does not begin with one.</summary>
    private sealed class PrefixSpacePreTokenizer : PreTokenizer
    {
        public override void Apply(PieceBuffer input, PieceBuffer output, List<PatternSpan> scratch)
        {
            for (int i = 0; i < input.Count; i++)
            {
                if (input.Text(i)[0] != ' ')
                {
                    output.Append(' ', input.HasSpans ? new TextSpan(input.Spans(i)[0].Start, input.Spans(i)[0].Start) : default);
                }

                output.Add(input, i, 0, input[i].Length, input[i].AtTextStart);
            }
        }
    }
}
