namespace PureSharpQLoRA.Core.Cpu;

/// <summary>How the CPU backend computes.</summary>
public sealed record CpuOptions
{
    /// <summary>Threads to compute on; 0 for one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>
    /// The type in which operands are multiplied: fp32, or bf16 with sums in fp32 where the processor can (AVX512_BF16), else fp32 all the same.
    /// bf16 products have a relative error of about 2.5e-3.
    /// </summary>
    public DataType ComputeType { get; init; } = DataType.Float32;
}
