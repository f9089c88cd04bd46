namespace PureSharpQLoRA.Transformers;

/// <summary>How the base model is kept in memory.</summary>
public sealed record LoadOptions
{
    /// <summary>Quantise the linear layers of the blocks to NF4 while loading. Weights that are 4-bit in the file stay so in any case.</summary>
    public bool LoadIn4Bit { get; init; } = true;

    /// <summary>Quantise the absolute maxima as well. On the CPU they are decoded at once: the values are those of double quantisation, the memory isn't saved.</summary>
    public bool DoubleQuantization { get; init; }

    /// <summary>Keep all weights in fp32 and train them: full fine-tuning, or training from scratch. Excludes 4-bit loading.</summary>
    public bool TrainAllWeights { get; init; }
}
