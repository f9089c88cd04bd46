using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Bytes per token that the backward pass needs kept.</summary>
public static class ActivationBytes
{
    /// <summary>Of the whole model, without what the block under way takes: the blocks', and the final norm's input and result.</summary>
    public static long PerToken(ModelSpec spec, PlanOptions options)
    {
        long hidden = spec.HiddenSize * BytesPerValue(options);
        long blocks = options.Checkpointing != Checkpointing.Full ? spec.Layers * BlockPerToken(spec, options)
            : options.OffloadsActivations ? hidden
            : spec.Layers * hidden;
        return (2 * hidden) + blocks;
    }

    /// <summary>Of the block whose gradient is being computed: what is recomputed for it, and the gradients that pass through it.</summary>
    public static long InFlightPerToken(ModelSpec spec, PlanOptions options)
    {
        // At SwiGLU: the residual stream's gradient and the branch's, gate's and up's, and SwiGLU's result computed again.
        long gradients = ((2L * spec.HiddenSize) + (2L * spec.IntermediateSize)) * BytesPerValue(options);
        long recomputed = Trains(spec, options, "Down") ? spec.IntermediateSize * BytesPerValue(options) : 0;
        return options.Checkpointing switch
        {
            Checkpointing.Full => gradients + recomputed + BlockPerToken(spec, options with { Checkpointing = Checkpointing.Selective }),
            Checkpointing.Selective => gradients + recomputed,
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

        // The attention's log-sum-exps, in fp32.
        return ((values + adapters) * BytesPerValue(options)) + (4L * spec.Heads);
    }

    /// <summary>Inputs of linear layers, kept for the gradient of these layers' weights or adapters only: the norms' and SwiGLU's results.</summary>
    private static long Recomputable(ModelSpec spec, PlanOptions options) =>
        (Trains(spec, options, "Query", "Key", "Value") ? spec.HiddenSize : 0L)
        + (Trains(spec, options, "Gate", "Up") ? spec.HiddenSize : 0L)
        + (Trains(spec, options, "Down") ? spec.IntermediateSize : 0L);

    private static bool Trains(ModelSpec spec, PlanOptions options, params string[] properties) => options.Method == TrainingMethod.Full
        || spec.BlockLinears.Any(linear => properties.Contains(linear.Property) && WeightCounts.IsTarget(linear, options.TargetModules));

    private static long BytesPerValue(PlanOptions options) => options.ActivationBits / 8;
}
