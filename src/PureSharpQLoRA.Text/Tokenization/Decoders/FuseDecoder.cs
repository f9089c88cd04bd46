namespace PureSharpQLoRA.Text;

/// <summary>Makes one token of all, so that later stages see a single beginning and a single end.</summary>
internal sealed class FuseDecoder : TokenDecoder
{
    private bool _started;

    public override void Push(TextPart part, List<TextPart> to)
    {
        to.Add(new TextPart(part.Text, Starts: !_started, Ends: false));
        _started = true;
    }

    public override void Flush(List<TextPart> to)
    {
        to.Add(new TextPart("", Starts: !_started, Ends: true));
        _started = true;
    }
}
