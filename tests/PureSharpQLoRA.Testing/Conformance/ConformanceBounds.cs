using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.Conformance;

/// <summary>The relative Frobenius error that a backend may make, by family of operations.</summary>
public sealed record ConformanceBounds
{
    /// <summary>What a backend that computes in fp32 keeps to.</summary>
    public static ConformanceBounds Single { get; } = new();

    /// <summary>
    /// Activations in fp16, which has 11 significant bits: where a result is rounded once, half a unit in the last place (2^-11) and what fp32 adds.
    /// Products round their operands as well, and attention its weights.
    /// </summary>
    public static ConformanceBounds Half { get; } = Narrow(Math.Pow(2, -11), product: 2e-3);

    /// <summary>Activations in bf16, which has 8 significant bits.</summary>
    public static ConformanceBounds BFloat16 { get; } = Narrow(Math.Pow(2, -8), product: 1.6e-2);

    /// <summary>Sums, scaling, dropout, rotation: a rounding or two.</summary>
    public double Elementwise { get; init; } = 2e-7;

    /// <summary>Matrix products.</summary>
    public double Product { get; init; } = 1e-6;

    /// <summary>Sums over rows.</summary>
    public double ColumnSum { get; init; } = 1e-6;

    /// <summary>Normalisation, forward and backward.</summary>
    public double RmsNorm { get; init; } = 1e-6;

    /// <summary>The gated activation, forward and backward.</summary>
    public double SwiGlu { get; init; } = 1e-6;

    /// <summary>The logarithms of the sums of attention, always in fp32.</summary>
    public double LogSumExp { get; init; } = 1e-6;

    /// <summary>The result of attention.</summary>
    public double Attention { get; init; } = 1e-6;

    /// <summary>The gradients of attention.</summary>
    public double AttentionGradient { get; init; } = 5e-6;

    /// <summary>Losses, relative to 1 where they are smaller.</summary>
    public double Loss { get; init; } = 5e-7;

    /// <summary>The gradient of the loss.</summary>
    public double LossGradient { get; init; } = 1e-6;

    /// <summary>Norms of adapted rows.</summary>
    public double RowNorm { get; init; } = 1e-6;

    /// <summary>Parameters and moments after several steps of the optimizer.</summary>
    public double Optimizer { get; init; } = 1e-6;

    /// <summary>Parameters and maxima after a step with 8-bit moments.</summary>
    public double Optimizer8Bit { get; init; } = 5e-7;

    /// <summary>How much farther than the nearest code of an 8-bit moment another may be, in parts of the block's maximum.</summary>
    public double CodeDistance { get; init; } = 3e-7;

    /// <summary>The norm of gradients and what clipping leaves: formed in double, stored in fp32.</summary>
    public double Norm { get; init; } = 1.2e-7;

    /// <summary>Sums in double.</summary>
    public double Sum { get; init; } = 1e-13;

    /// <summary>The bounds for a type of activations.</summary>
    public static ConformanceBounds For(DataType activations) => activations switch
    {
        DataType.Float16 => Half,
        DataType.BFloat16 => BFloat16,
        _ => Single,
    };

    /// <summary>Results of fp32, such as sums of columns, losses and norms, keep their bounds: their operands are given exactly.</summary>
    private static ConformanceBounds Narrow(double rounding, double product) => Single with
    {
        Elementwise = rounding + Single.Elementwise,
        Product = product,
        RmsNorm = rounding + Single.RmsNorm,
        SwiGlu = rounding + Single.SwiGlu,
        Attention = product,
        AttentionGradient = 2 * product,
    };
}
