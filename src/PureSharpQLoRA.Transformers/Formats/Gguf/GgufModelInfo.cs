namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>How the rotary embedding of a model is stretched, as GGUF can say it.</summary>
public enum GgufRopeScaling
{
    /// <summary>Not at all, or by the factors in <see cref="GgufModelInfo.RopeFactors"/>.</summary>
    None,

    /// <summary>All frequencies are divided by a factor.</summary>
    Linear,

    /// <summary>YaRN (arXiv:2309.00071).</summary>
    Yarn,
}

/// <summary>What a GGUF file says of a model: its sizes and its mathematics.</summary>
public sealed record GgufModelInfo
{
    /// <summary>model_type of config.json: llama, mistral, qwen2 or qwen3.</summary>
    public required string ModelType { get; init; }

    /// <summary>The name for people.</summary>
    public required string Name { get; init; }

    /// <summary>Rows of the embedding.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width of the MLP.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>Number of blocks.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Values per head.</summary>
    public required int HeadSize { get; init; }

    /// <summary>The longest document, in tokens.</summary>
    public required int ContextLength { get; init; }

    /// <summary>What RMSNorm adds to the mean square.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>The base of the rotary frequencies.</summary>
    public required float RopeTheta { get; init; }

    /// <summary>How they are stretched.</summary>
    public GgufRopeScaling RopeScaling { get; init; }

    /// <summary>The stretch of linear scaling and YaRN.</summary>
    public float RopeFactor { get; init; } = 1;

    /// <summary>YaRN: the context first trained on.</summary>
    public int RopeOriginalContext { get; init; }

    /// <summary>YaRN: rotations above which a frequency is kept.</summary>
    public float YarnBetaFast { get; init; } = 32;

    /// <summary>YaRN: rotations below which a frequency is interpolated.</summary>
    public float YarnBetaSlow { get; init; } = 1;

    /// <summary>YaRN: the factor on cosines and sines.</summary>
    public float YarnAttentionFactor { get; init; } = 1;

    /// <summary>What each frequency is divided by [HeadSize / 2], as Llama 3.1 needs; empty for nothing.</summary>
    public IReadOnlyList<float> RopeFactors { get; init; } = [];

    /// <summary>The name GGUF has for the family.</summary>
    public string Architecture => ModelType == "mistral" ? "llama" : ModelType;

    /// <summary>Whether rows of query and key projections lie in another order: the rotary pairs of a head are neighbours.</summary>
    public bool PermutesQueriesAndKeys => Architecture == "llama";

    /// <summary>Writes the keys.</summary>
    internal void AddTo(GgufMetadata metadata)
    {
        string arch = Architecture;
        metadata.Add(arch + ".vocab_size", (uint)VocabularySize);
        metadata.Add(arch + ".context_length", (uint)ContextLength);
        metadata.Add(arch + ".embedding_length", (uint)HiddenSize);
        metadata.Add(arch + ".block_count", (uint)Layers);
        metadata.Add(arch + ".feed_forward_length", (uint)IntermediateSize);
        metadata.Add(arch + ".attention.head_count", (uint)Heads);
        metadata.Add(arch + ".attention.head_count_kv", (uint)KeyValueHeads);
        metadata.Add(arch + ".attention.key_length", (uint)HeadSize);
        metadata.Add(arch + ".attention.value_length", (uint)HeadSize);
        metadata.Add(arch + ".attention.layer_norm_rms_epsilon", NormEpsilon);
        metadata.Add(arch + ".rope.dimension_count", (uint)HeadSize);
        metadata.Add(arch + ".rope.freq_base", RopeTheta);
        switch (RopeScaling)
        {
            case GgufRopeScaling.Linear:
                metadata.Add(arch + ".rope.scaling.type", "linear");
                metadata.Add(arch + ".rope.scaling.factor", RopeFactor);
                break;
            case GgufRopeScaling.Yarn:
                metadata.Add(arch + ".rope.scaling.type", "yarn");
                metadata.Add(arch + ".rope.scaling.factor", RopeFactor);
                metadata.Add(arch + ".rope.scaling.original_context_length", (uint)RopeOriginalContext);
                metadata.Add(arch + ".rope.scaling.yarn_beta_fast", YarnBetaFast);
                metadata.Add(arch + ".rope.scaling.yarn_beta_slow", YarnBetaSlow);

                // Readers multiply this by 0.1 ln(factor) + 1 themselves.
                metadata.Add(arch + ".rope.scaling.attn_factor", (float)(YarnAttentionFactor / DefaultAttentionFactor(RopeFactor)));
                break;
        }
    }

    /// <summary>0.1 ln(factor) + 1 (YaRN, equation 22).</summary>
    internal static double DefaultAttentionFactor(double factor) => (0.1 * Math.Log(factor)) + 1;
}
