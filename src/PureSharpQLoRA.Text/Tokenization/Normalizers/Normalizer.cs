namespace PureSharpQLoRA.Text;

/// <summary>The first stage: rewrites a segment of text before it is cut into pieces.</summary>
internal abstract class Normalizer
{
    private const string Supported = "Sequence, Prepend, Replace, NFC";

    public abstract string Normalize(string text);

    /// <summary>Normalises and tells of every character of the result which stretch of the original text it comes from.</summary>
    /// <param name="text">The text.</param>
    /// <param name="spans">Where its characters come from.</param>
    public abstract string Normalize(string text, ref TextSpan[] spans);

    /// <summary>The stretch that characters from one place to another come from.</summary>
    protected static TextSpan Covering(ReadOnlySpan<TextSpan> spans, int start, int end) =>
        start < end ? new TextSpan(spans[start].Start, spans[end - 1].End)
            : start < spans.Length ? new TextSpan(spans[start].Start, spans[start].Start)
            : new TextSpan(spans[^1].End, spans[^1].End);

    /// <summary>The normalizers of a "normalizer" field, nested sequences laid flat.</summary>
    public static IEnumerable<Normalizer> Load(JsonField? field)
    {
        if (field is not { } json)
        {
            return [];
        }

        return json.Get("type").String() switch
        {
            "Sequence" => json.Get("normalizers").Items().SelectMany(item => Load(item)),
            "Prepend" => [new PrependNormalizer(json.Get("prepend").String())],
            "Replace" => [new ReplaceNormalizer(SplitPattern.Load(json.Get("pattern")), json.Get("content").String())],
            "NFC" => [new ComposingNormalizer()],
            string other => throw json.Unsupported("normalizer", other, Supported),
        };
    }
}
