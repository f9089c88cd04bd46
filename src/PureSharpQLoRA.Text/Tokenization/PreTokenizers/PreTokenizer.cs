namespace PureSharpQLoRA.Text;

/// <summary>The second stage: cuts pieces into smaller ones, over which merges never reach.</summary>
internal abstract class PreTokenizer
{
    private const string Supported = "Sequence, Split, ByteLevel, Digits, Metaspace";

    /// <summary>Reads every piece of one buffer and writes what becomes of it to another.</summary>
    public abstract void Apply(PieceBuffer input, PieceBuffer output, List<PatternSpan> scratch);

    /// <summary>The pre-tokenizers of a "pre_tokenizer" field, nested sequences laid flat.</summary>
    public static IEnumerable<PreTokenizer> Load(JsonField? field)
    {
        if (field is not { } json)
        {
            return [];
        }

        return json.Get("type").String() switch
        {
            "Sequence" => json.Get("pretokenizers").Items().SelectMany(item => Load(item)),
            "Split" => [SplitPreTokenizer.Load(json)],
            "ByteLevel" => ByteLevelPreTokenizer.Load(json),
            "Digits" => [new SplitPreTokenizer(new NumericPattern(), json.BoolOr("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
            "Metaspace" => MetaspacePreTokenizer.Load(json),
            string other => throw json.Unsupported("pre_tokenizer", other, Supported),
        };
    }
}
