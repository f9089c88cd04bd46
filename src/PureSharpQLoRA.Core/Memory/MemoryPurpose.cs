namespace PureSharpQLoRA.Core;

/// <summary>What a block of memory is for, so that a plan can be held against what is used.</summary>
public enum MemoryPurpose
{
    /// <summary>Frozen or full weights of the base model.</summary>
    Weights,

    /// <summary>Trainable adapter weights.</summary>
    Adapters,

    /// <summary>Gradients of trainable weights.</summary>
    Gradients,

    /// <summary>Moments of the optimizer.</summary>
    Optimizer,

    /// <summary>Results of a step that live until its backward pass, and their gradients.</summary>
    Activations,

    /// <summary>Scratch of single operations, and caches of generation.</summary>
    Workspace,
}
