namespace PureSharpQLoRA.Text;

/// <summary>Turns the visible space back into a space, and drops it from the first token where encoding put it there.</summary>
internal sealed class MetaspaceDecoder(char replacement, bool dropFirst) : TokenDecoder
{
    public static Func<TokenDecoder> Load(JsonField json)
    {
        char replacement = MetaspacePreTokenizer.Replacement(json);
        bool dropFirst = MetaspacePreTokenizer.PrependScheme(json) != "never";
        return () => new MetaspaceDecoder(replacement, dropFirst);
    }

    private int _tokens;

    public override void Push(TextPart part, List<TextPart> to)
    {
        _tokens += part.Starts ? 1 : 0;
        string visible = replacement.ToString(), space = _tokens == 1 && dropFirst ? "" : " ";
        to.Add(part with { Text = part.Text.Replace(visible, space, StringComparison.Ordinal) });
    }
}
