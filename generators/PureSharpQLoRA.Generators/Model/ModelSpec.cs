namespace PureSharpQLoRA.Generators.Model;

/// <summary>Everything a decoder-only model's code and memory plan depend on, and nothing else.</summary>
public sealed record ModelSpec
{
    /// <summary>config.json's model_type.</summary>
    public string ModelType { get; init; } = "";

    /// <summary>The family's name in prose: "Llama".</summary>
    public string FamilyName { get; init; } = "";

    /// <summary>Rows of the embedding.</summary>
    public int VocabularySize { get; init; }

    /// <summary>Values per token in the residual stream.</summary>
    public int HiddenSize { get; init; }

    /// <summary>Values per token inside the MLP.</summary>
    public int IntermediateSize { get; init; }

    /// <summary>Blocks.</summary>
    public int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public int Heads { get; init; }

    /// <summary>Key and value heads; each serves heads / key-value heads query heads.</summary>
    public int KeyValueHeads { get; init; }

    /// <summary>Values per head.</summary>
    public int HeadSize { get; init; }

    /// <summary>Longest sequence the config declares, in tokens.</summary>
    public int MaxPositions { get; init; }

    /// <summary>What RMSNorm adds to the mean square.</summary>
    public double NormEpsilon { get; init; }

    /// <summary>Whether the head is the embedding itself.</summary>
    public bool TiedEmbeddings { get; init; }

    /// <summary>Whether the query, key and value projections have biases.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether the attention's output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether the MLP's three projections have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>Whether queries and keys are normed per head before the rotation (Qwen3).</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>Tokens a sliding layer looks back, itself included; 0 where no layer slides.</summary>
    public int SlidingWindow { get; init; }

    /// <summary>Per layer, whether it looks back only <see cref="SlidingWindow"/> tokens; empty where no layer does.</summary>
    public EquatableArray<bool> SlidingLayers { get; init; }

    /// <summary>Per layer, whether its queries and keys are not turned by their positions (SmolLM3); empty where all are.</summary>
    public EquatableArray<bool> LayersWithoutRotary { get; init; }

    /// <summary>The rotary embedding.</summary>
    public RotarySpec Rotary { get; init; } = new();

    /// <summary>Values per token of all query heads together.</summary>
    public int QuerySize => Heads * HeadSize;

    /// <summary>Values per token of all key (or value) heads together.</summary>
    public int KeyValueSize => KeyValueHeads * HeadSize;

    /// <summary>The linear layers of one block, in the order they run.</summary>
    public EquatableArray<LinearSpec> BlockLinears =>
    [
        new("Query", "self_attn.q_proj", HiddenSize, QuerySize, QueryKeyValueBias),
        new("Key", "self_attn.k_proj", HiddenSize, KeyValueSize, QueryKeyValueBias),
        new("Value", "self_attn.v_proj", HiddenSize, KeyValueSize, QueryKeyValueBias),
        new("Output", "self_attn.o_proj", QuerySize, HiddenSize, OutputBias),
        new("Gate", "mlp.gate_proj", HiddenSize, IntermediateSize, MlpBias),
        new("Up", "mlp.up_proj", HiddenSize, IntermediateSize, MlpBias),
        new("Down", "mlp.down_proj", IntermediateSize, HiddenSize, MlpBias),
    ];
}
