namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>Where the matrices of one call lie: all fp32, rows of all heads side by side. What a pass does not use is null.</summary>
internal unsafe struct AttentionOperands
{
    /// <summary>[tokens, heads * size].</summary>
    public float* Query, Output, OutputGradient, QueryGradient;

    /// <summary>[past + tokens, key heads * size].</summary>
    public float* Key, Value, KeyGradient, ValueGradient;

    /// <summary>[heads, tokens], natural logarithms.</summary>
    public float* LogSumExp;
}
