namespace PureSharpQLoRA.Text;

/// <summary>Writes spaces as a visible character, as SentencePiece does, with one before the piece where the scheme asks for it.</summary>
internal sealed class MetaspacePreTokenizer(char replacement, string prependScheme) : PreTokenizer
{
    /// <summary>The stages of a "Metaspace" component: the replacement, then the cut before each visible space.</summary>
    public static IEnumerable<PreTokenizer> Load(JsonField json)
    {
        char replacement = Replacement(json);
        yield return new MetaspacePreTokenizer(replacement, PrependScheme(json));
        if (json.BoolOr("split", true))
        {
            yield return new SplitPreTokenizer(new LiteralPattern(replacement.ToString()), SplitBehavior.MergedWithNext);
        }
    }

    /// <summary>The visible character of a pre-tokenizer or decoder of this kind.</summary>
    public static char Replacement(JsonField json) =>
        json.Get("replacement").String() is { Length: 1 } text ? text[0] : throw json.Get("replacement").Wrong("one character");

    /// <summary>"always", "first" or "never"; older files only say whether a prefix is added.</summary>
    public static string PrependScheme(JsonField json)
    {
        string scheme = json.Find("prepend_scheme")?.String() ?? (json.BoolOr("add_prefix_space", true) ? "always" : "never");
        return scheme is "always" or "first" or "never" ? scheme : throw json.Get("prepend_scheme").Wrong("\"always\", \"first\" or \"never\"");
    }

    public override void Apply(PieceBuffer input, PieceBuffer output, List<PatternSpan> scratch)
    {
        for (int i = 0; i < input.Count; i++)
        {
            ReadOnlySpan<char> text = input.Text(i);
            ReadOnlySpan<TextSpan> spans = input.HasSpans ? input.Spans(i) : default;
            bool visible = text[0] == ' ' || text[0] == replacement;
            if (!visible && (prependScheme == "always" || (prependScheme == "first" && input[i].AtTextStart)))
            {
                output.Append(replacement, spans.IsEmpty ? default : new TextSpan(spans[0].Start, spans[0].Start));
            }

            for (int at = 0; at < text.Length; at++)
            {
                output.Append(text[at] == ' ' ? replacement : text[at], spans.IsEmpty ? default : spans[at]);
            }

            output.Close(input[i].AtTextStart);
        }
    }
}
