using System.Buffers;

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
            while (!rest.IsEmpty)
            {
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

    /// <summary>Puts a space before a piece that does not begin with one.</summary>
    private sealed class PrefixSpacePreTokenizer : PreTokenizer
    {
        public override void Apply(PieceBuffer input, PieceBuffer output, List<PatternSpan> scratch)
        {
            for (int i = 0; i < input.Count; i++)
            {
                if (input.Text(i)[0] != ' ')
                {
                    output.Append(' ');
                }

                output.Add(input.Text(i), input[i].AtTextStart);
            }
        }
    }
}
