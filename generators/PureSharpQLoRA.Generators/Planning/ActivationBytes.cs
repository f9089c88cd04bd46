using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Bytes per token that the backward pass needs kept.</summary>
public static class ActivationBytes
{
    // As the tape divides the tokens of a block's second half.
    private const long LargestMlpPart = 2048;

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
    public static long InFlight(ModelSpec spec, PlanOptions options)
    {
        if (options.Checkpointing == Checkpointing.Full)
        {
            // The MLP's gradient while the attention's results wait, or the attention's own.
            long part = Math.Min(options.Tokens, LargestMlpPart);
            return Math.Max(
                (options.Tokens * AttentionWaiting(spec, options)) + (part * MlpInFlight(spec, options)),
                options.Tokens * AttentionInFlight(spec, options));
        }

        // At SwiGLU: the residual stream's gradient and the branch's, gate's and up's, and while Down's adapter is at work SwiGLU's result computed again.
        long gradients = ((2L * spec.HiddenSize) + (2L * spec.IntermediateSize)) * BytesPerValue(options);
        return options.Tokens * gradients;
    }

    /// <summary>Of a block's first half, while the second is at work: its result and that result's gradient, queries, keys, values and what attention made of them.</summary>
    private static long AttentionWaiting(ModelSpec spec, PlanOptions options)
    {
        long values = (2L * spec.HiddenSize) + (2L * spec.QuerySize) + (2L * spec.KeyValueSize) + (spec.QueryKeyNorm ? spec.QuerySize + spec.KeyValueSize : 0);
        return ((values + AdapterValues(spec, options, ofAttention: true)) * BytesPerValue(options)) + (4L * spec.Heads);
    }

    /// <summary>Of the second half, per token of a part: gate and up, SwiGLU's result or one of their gradients, and the other; the norm's result and gradient.</summary>
    private static long MlpInFlight(ModelSpec spec, PlanOptions options) =>
        ((4L * spec.IntermediateSize) + (2L * spec.HiddenSize) + AdapterValues(spec, options, ofAttention: false)) * BytesPerValue(options);

    /// <summary>Of the first half at the attention itself: its operands and result, their gradients, and the residual stream's.</summary>
    private static long AttentionInFlight(ModelSpec spec, PlanOptions options)
    {
        long values = spec.HiddenSize + (4L * spec.QuerySize) + (4L * spec.KeyValueSize) + (spec.QueryKeyNorm ? spec.QuerySize + spec.KeyValueSize : 0);
        return ((values + AdapterValues(spec, options, ofAttention: true)) * BytesPerValue(options)) + (4L * spec.Heads);
    }

    private static long AdapterValues(ModelSpec spec, PlanOptions options, bool ofAttention) => options.Method == TrainingMethod.Full
        ? 0
        : spec.BlockLinears.Count(linear => IsMlp(linear) != ofAttention && WeightCounts.IsTarget(linear, options.TargetModules)) * (long)options.Rank;

    private static bool IsMlp(LinearSpec linear) => linear.Property is "Gate" or "Up" or "Down";

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
