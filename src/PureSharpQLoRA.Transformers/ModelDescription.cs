namespace PureSharpQLoRA.Transformers;

/// <summary>The sizes of a model, as its config.json gives them.</summary>
public sealed record ModelDescription
{
    /// <summary>The family, for example "llama".</summary>
    public required string ModelType { get; init; }

    /// <summary>Entries of the vocabulary: rows of the embedding and of the head.</summary>
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

    /// <summary>The longest document the model was made for, in tokens.</summary>
    public required int MaxPositions { get; init; }

    /// <summary>Whether the head uses the embedding's weights.</summary>
    public required bool TiedEmbeddings { get; init; }
}
