namespace PureSharpQLoRA.Text;

/// <summary>Puts a prefix before every segment but an empty one.</summary>
internal sealed class PrependNormalizer(string prefix) : Normalizer
{
    public override string Normalize(string text) => text.Length == 0 ? text : prefix + text;

    public override string Normalize(string text, ref TextSpan[] spans)
    {
        if (text.Length > 0)
        {
            spans = [.. Enumerable.Repeat(Covering(spans, 0, 0), prefix.Length), .. spans];
        }

        return Normalize(text);
    }
}
