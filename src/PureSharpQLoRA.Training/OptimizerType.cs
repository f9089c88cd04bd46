namespace PureSharpQLoRA.Training;

/// <summary>Which optimizer updates the parameters; names as in transformers.</summary>
public enum OptimizerType
{
    /// <summary>AdamW with fp32 moments (adamw_torch).</summary>
    AdamW,

    /// <summary>AdamW with moments in 8 bits, but for tensors of fewer than 4,096 elements (adamw_bnb_8bit; Dettmers et al. 2021, arXiv:2110.02861).</summary>
    AdamW8Bit,
}
