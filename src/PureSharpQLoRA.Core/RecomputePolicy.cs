namespace PureSharpQLoRA.Core;

/// <summary>Which results of the forward pass are computed again in the backward pass instead of being kept.</summary>
public enum RecomputePolicy
{
    /// <summary>Everything is kept.</summary>
    None,

    /// <summary>Results that cost one pass over memory (norms, SwiGLU) are computed again; no product is.</summary>
    Cheap,

    /// <summary>Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): of each block only the input is kept.</summary>
    Blocks,
}
