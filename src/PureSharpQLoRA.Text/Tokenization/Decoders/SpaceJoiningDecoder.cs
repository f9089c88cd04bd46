namespace PureSharpQLoRA.Text;

/// <summary>Puts spaces between tokens: what a tokenizer without a decoder does.</summary>
internal sealed class SpaceJoiningDecoder : TokenDecoder
{
    private bool _any;

    public override void Push(TextPart part, List<TextPart> to)
    {
        to.Add(_any ? part with { Text = " " + part.Text } : part);
        _any = true;
    }
}
