namespace PureSharpQLoRA.Generators.Model;

/// <summary>What the host chose about the emitted code, beside the config: the metadata of a HuggingFaceModel item.</summary>
public sealed record ModelOptions
{
    /// <summary>The model's class; null takes the name of the config's folder.</summary>
    public string? ClassName { get; init; }

    /// <summary>The namespace of the emitted types.</summary>
    public string Namespace { get; init; } = "Models";

    /// <summary>Accelerator memory in bytes that training must fit in, or null for no check.</summary>
    public long? VramBudget { get; init; }

    /// <summary>Tokens of one forward and backward pass.</summary>
    public int TokensPerStep { get; init; } = 2048;

    /// <summary>Rank of the adapters.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>Whether blocks are recomputed from their input in the backward pass.</summary>
    public bool GradientCheckpointing { get; init; } = true;

    /// <summary>Whether the absmax values of NF4 blocks are quantised as well.</summary>
    public bool DoubleQuantization { get; init; }
}
