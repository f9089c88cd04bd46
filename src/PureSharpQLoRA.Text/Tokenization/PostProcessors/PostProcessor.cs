namespace PureSharpQLoRA.Text;

/// <summary>The last stage of encoding: the special tokens put before and after a text.</summary>
internal sealed record PostProcessor(int[] Before, int[] After)
{
    private const string Supported = "Sequence, TemplateProcessing, ByteLevel";

    public static PostProcessor Load(JsonField? field)
    {
        if (field is not { } json)
        {
            return new PostProcessor([], []);
        }

        return json.Get("type").String() switch
        {
            // A later processor wraps what earlier ones made.
            "Sequence" => json.Get("processors").Items().Select(item => Load(item))
                .Aggregate(new PostProcessor([], []), (inner, outer) => new PostProcessor([.. outer.Before, .. inner.Before], [.. inner.After, .. outer.After])),
            "TemplateProcessing" => TemplatePostProcessor.Load(json),

            // It trims offsets, which ids know nothing of.
            "ByteLevel" => new PostProcessor([], []),
            string other => throw json.Unsupported("post_processor", other, Supported),
        };
    }
}
