using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>What is trained, and how the frozen weights are kept.</summary>
public enum TrainingMethod
{
    /// <summary>LoRA adapters on an NF4 base.</summary>
    QLora,

    /// <summary>LoRA adapters on a 16-bit base.</summary>
    Lora,

    /// <summary>All weights, in 16 bits.</summary>
    Full,
}

/// <summary>What the backward pass recomputes rather than keeps.</summary>
public enum Checkpointing
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>The outputs of norms and of SwiGLU, which are cheap.</summary>
    Selective,

    /// <summary>Whole blocks, from their input.</summary>
    Full,
}

/// <summary>The settings of a run that decide its memory.</summary>
public sealed record PlanOptions
{
    /// <summary>What is trained.</summary>
    public TrainingMethod Method { get; init; }

    /// <summary>Sequences in one forward and backward pass.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>Tokens per sequence.</summary>
    public int Length { get; init; } = 1024;

    /// <summary>Rank of the adapters.</summary>
    public int Rank { get; init; } = 16;

    /// <summary>What is recomputed.</summary>
    public Checkpointing Checkpointing { get; init; } = Checkpointing.Full;

    /// <summary>Whether the inputs of blocks that are recomputed as a whole wait in the host's memory: the device then holds one at a time.</summary>
    public bool OffloadsActivations { get; init; }

    /// <summary>The linear layers that get adapters, as target_modules names them; empty for all of a block's.</summary>
    public EquatableArray<string> TargetModules { get; init; }

    /// <summary>Whether NF4's absmax values are quantised as well.</summary>
    public bool DoubleQuantization { get; init; }

    /// <summary>Bits of a value of AdamW's two moments: 32, or 8 in blocks of 256 with an fp32 absmax each (32 in small tensors).</summary>
    public int OptimizerBits { get; init; } = 32;

    /// <summary>Bits of an adapter's weights and gradients: 32 or 16.</summary>
    public int AdapterBits { get; init; } = 32;

    /// <summary>Bits of an activation: 16 on a GPU, 32 on the CPU.</summary>
    public int ActivationBits { get; init; } = 16;

    /// <summary>Whether a card computes: 16-bit copies of the adapters lie beside them, and absolute maxima take 16 bits.</summary>
    internal bool IsOnCard => ActivationBits == 16;

    /// <summary>Tokens of one pass.</summary>
    public long Tokens => (long)Batch * Length;
}
