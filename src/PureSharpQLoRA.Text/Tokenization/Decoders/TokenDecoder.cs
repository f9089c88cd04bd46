namespace PureSharpQLoRA.Text;

/// <summary>A part of a token's text on its way through the decoders. Fused tokens arrive in parts: the first starts it, the last ends it.</summary>
internal readonly record struct TextPart(string Text, bool Starts, bool Ends);

/// <summary>One stage of decoding, with its state for one run of tokens, so that whole and streamed decoding are the same code.</summary>
internal abstract class TokenDecoder
{
    private const string Supported = "Sequence, Replace, ByteFallback, Fuse, Strip, ByteLevel, Metaspace";

    /// <summary>Takes a part and passes on what is final.</summary>
    public abstract void Push(TextPart part, List<TextPart> to);

    /// <summary>Passes on what was held back, at the end of the tokens.</summary>
    public virtual void Flush(List<TextPart> to)
    {
    }

    /// <summary>What makes the stages of a "decoder" field, nested sequences laid flat.</summary>
    public static IEnumerable<Func<TokenDecoder>> Load(JsonField? field)
    {
        if (field is not { } json)
        {
            return [static () => new SpaceJoiningDecoder()];
        }

        return json.Get("type").String() switch
        {
            "Sequence" => json.Get("decoders").Items().SelectMany(item => Load(item)),
            "Replace" => [ReplaceDecoder.Load(json)],
            "ByteFallback" => [static () => new ByteFallbackDecoder()],
            "Fuse" => [static () => new FuseDecoder()],
            "Strip" => [StripDecoder.Load(json)],
            "ByteLevel" => [static () => new ByteLevelDecoder()],
            "Metaspace" => [MetaspaceDecoder.Load(json)],
            string other => throw json.Unsupported("decoder", other, Supported),
        };
    }
}
