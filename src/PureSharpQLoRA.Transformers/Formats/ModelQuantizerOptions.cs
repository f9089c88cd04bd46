namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>How <see cref="ModelQuantizer"/> works.</summary>
public sealed record ModelQuantizerOptions
{
    /// <summary>Where config.json, tokenizer and other small files are; null for the model folder itself.</summary>
    public string? FilesFolder { get; init; }

    /// <summary>Whether the absolute maxima are quantised too, which saves 0.37 bits per weight.</summary>
    public bool UseDoubleQuant { get; init; } = true;

    /// <summary>Which 2-D weights are quantised, by name; null for the linear layers of the blocks, which leaves embeddings, norms and the head as they are.</summary>
    public Func<string, bool>? Selects { get; init; }

    /// <summary>How many threads read and quantise parts of a tensor at the same time.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>How many weights are held in memory at a time.</summary>
    public int ChunkElements { get; init; } = 8 << 20;
}

/// <summary>How far a quantisation has come.</summary>
/// <param name="Tensor">The tensor at work.</param>
/// <param name="BytesDone">Bytes of the source that were worked through; with double quantisation, weights count twice, as they are read twice.</param>
/// <param name="BytesTotal">Bytes in all.</param>
public readonly record struct QuantizationProgress(string Tensor, long BytesDone, long BytesTotal);
