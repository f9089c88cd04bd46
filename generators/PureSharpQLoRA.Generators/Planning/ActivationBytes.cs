using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Bytes per token that the backward pass needs kept.</summary>
public static class ActivationBytes
{
    /// <summary>Of all blocks together, without what one block's recomputation takes.</summary>
    public static long PerToken(ModelSpec spec, PlanOptions options) => spec.Layers * (options.Checkpointing == Checkpointing.Full
        ? spec.HiddenSize * BytesPerValue(options)
        : BlockPerToken(spec, options));

    /// <summary>Of the block whose gradient is being computed: what is recomputed for it, and the gradients that pass through it.</summary>
    public static long InFlightPerToken(ModelSpec spec, PlanOptions options)
    {
        long gradients = ((2L * spec.HiddenSize) + (3L * spec.IntermediateSize)) * BytesPerValue(options);
        return options.Checkpointing switch
        {
            Checkpointing.Full => gradients + BlockPerToken(spec, options with { Checkpointing = Checkpointing.None }),
            Checkpointing.Selective => gradients + (Recomputable(spec, options) * BytesPerValue(options)),
            _ => gradients,
        };
    }

    /// <summary>What one block keeps unless it is recomputed as a whole.</summary>
    private static long BlockPerToken(ModelSpec spec, PlanOptions options)
    {
        // The two norms' inputs; queries, keys and values; the attention's result; gate and up.
        long values = (2L * spec.HiddenSize) + (2L * spec.QuerySize) + (2L * spec.KeyValueSize) + (2L * spec.IntermediateSize);
        if (spec.QueryKeyNorm)
        {
            values += spec.QuerySize + spec.KeyValueSize;
        }

        if (options.Checkpointing == Checkpointing.None)
        {
            values += Recomputable(spec, options);
        }

        long adapters = options.Method == TrainingMethod.Full
            ? 0
            : spec.BlockLinears.Count(linear => WeightCounts.IsTarget(linear, options.TargetModules)) * (long)options.Rank;

        // In fp32: the reciprocal root mean squares of the norms and the log-sum-exps of the heads.
        long statistics = 4L * (2 + spec.Heads + (spec.QueryKeyNorm ? spec.Heads + spec.KeyValueHeads : 0));
        return ((values + adapters) * BytesPerValue(options)) + statistics;
    }

    /// <summary>Inputs of linear layers, kept for the gradient of these layers' weights or adapters only: the norms' and SwiGLU's results.</summary>
    private static long Recomputable(ModelSpec spec, PlanOptions options)
    {
        bool Trains(params string[] properties) => options.Method == TrainingMethod.Full
            || spec.BlockLinears.Any(linear => properties.Contains(linear.Property) && WeightCounts.IsTarget(linear, options.TargetModules));

        return (Trains("Query", "Key", "Value") ? spec.HiddenSize : 0L)
            + (Trains("Gate", "Up") ? spec.HiddenSize : 0L)
            + (Trains("Down") ? spec.IntermediateSize : 0L);
    }

    private static long BytesPerValue(PlanOptions options) => options.ActivationBits / 8;
}
