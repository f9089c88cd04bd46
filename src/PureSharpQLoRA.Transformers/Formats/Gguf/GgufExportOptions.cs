namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>How a model or an adapter is written as GGUF.</summary>
public sealed record GgufExportOptions
{
    /// <summary>How matrices are stored. Vectors stay in fp32; a matrix whose rows don't consist of whole blocks is kept in fp16, and with Q4_0 embedding and head in Q8_0.</summary>
    public GgufTensorType Type { get; init; } = GgufTensorType.Float16;

    /// <summary>The tokenizer's special tokens.</summary>
    public required GgufSpecialTokens SpecialTokens { get; init; }

    /// <summary>Where tokenizer.json is; null for the model folder itself.</summary>
    public string? FilesFolder { get; init; }

    /// <summary>The chat template, or null.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The name GGUF has for the tokenizer's way of splitting text into words; null to find it.</summary>
    public string? PreTokenizer { get; init; }
}

/// <summary>What an export wrote.</summary>
/// <param name="Tensors">Tensors in the file.</param>
/// <param name="Bytes">The file's size.</param>
/// <param name="OtherTypes">Matrices that were stored in another type than was asked for.</param>
public sealed record GgufExportReport(int Tensors, long Bytes, int OtherTypes);
