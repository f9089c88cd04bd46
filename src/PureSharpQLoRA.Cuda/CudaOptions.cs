using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

/// <summary>How the backend computes.</summary>
public sealed record CudaOptions
{
    /// <summary>
    /// The type in which activations and their gradients are stored: fp16 (any card, needs loss scaling), bf16 (from sm_80 on), or fp32 (slow: no
    /// tensor cores). Null takes bf16 where the card has it, else fp16.
    /// </summary>
    public DataType? ActivationType { get; init; }

    /// <summary>Called with the name of each kernel before it is compiled, so that a program can show what the first step waits for.</summary>
    public Action<string>? Compiling { get; init; }
}
