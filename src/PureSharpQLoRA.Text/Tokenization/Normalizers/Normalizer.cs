namespace PureSharpQLoRA.Text;

/// <summary>The first stage: rewrites a segment of text before it is cut into pieces.</summary>
internal abstract class Normalizer
{
    private const string Supported = "Sequence, Prepend, Replace, NFC";

    public abstract string Normalize(string text);

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
