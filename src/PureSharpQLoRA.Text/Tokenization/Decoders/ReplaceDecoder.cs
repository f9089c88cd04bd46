namespace PureSharpQLoRA.Text;

/// <summary>Replaces every match of a pattern in each token.</summary>
internal sealed class ReplaceDecoder(ReplaceNormalizer replace) : TokenDecoder
{
    public static Func<TokenDecoder> Load(JsonField json)
    {
        var replace = new ReplaceNormalizer(SplitPattern.Load(json.Get("pattern")), json.Get("content").String());
        return () => new ReplaceDecoder(replace);
    }

    public override void Push(TextPart part, List<TextPart> to) => to.Add(part with { Text = replace.Normalize(part.Text) });
}
