using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Computes what a training step takes from a model's sizes alone.</summary>
public static class MemoryPlanner
{
    /// <summary>Row of the blocks' linear layers.</summary>
    public const string BlockWeights = "Linear layers";

    /// <summary>Row of the weights that are never quantised.</summary>
    public const string OtherWeights = "Embedding/head/norms";

    /// <summary>Row of the LoRA weights.</summary>
    public const string Adapters = "Adapters";

    /// <summary>Row of the trained weights' gradients.</summary>
    public const string Gradients = "Gradients";

    /// <summary>Row of AdamW's moments.</summary>
    public const string Optimizer = "Optimizer states";

    /// <summary>Row of what the forward pass keeps for the backward pass.</summary>
    public const string Activations = "Activations";

    /// <summary>Row of what is under way: the block whose gradient is computed, or the logits of a chunk of tokens, whichever takes more.</summary>
    public const string Working = "Block or logits at work";

    /// <summary>Row of buffers that depend on no size of the model.</summary>
    public const string Scratch = "Scratch";

    // Decoded panels, reduction buffers and the pool's rounding.
    private const long ScratchBytes = 64L << 20;

    private const long SmallestLogitChunk = 16;

    /// <summary>The memory of a step of <paramref name="spec"/> under <paramref name="options"/>.</summary>
    public static MemoryPlan Plan(ModelSpec spec, PlanOptions options)
    {
        bool isFull = options.Method == TrainingMethod.Full;
        long adapters = isFull ? 0 : options.Rank * WeightCounts.AdapterPerRank(spec, options.TargetModules);
        long trained = isFull ? WeightCounts.Total(spec) : adapters;
        return new MemoryPlan(
            options,
            [
                new(BlockWeights, options.Method != TrainingMethod.QLora ? 2 * WeightCounts.Linear(spec)
                    : options.IsOnCard ? WeightCounts.Nf4BytesOnCard(spec)
                    : WeightCounts.Nf4Bytes(spec, options.DoubleQuantization)),
                new(OtherWeights, 2 * WeightCounts.Other(spec)),
                new(Adapters, (adapters * options.AdapterBits / 8) + (options.IsOnCard ? 2 * adapters : 0)),
                new(Gradients, isFull ? 2 * trained : adapters * options.AdapterBits / 8),
                new(Optimizer, OptimizerBytes.Of(spec, options)),
                new(Activations, options.Tokens * ActivationBytes.PerToken(spec, options)),
                new(Working, Math.Max(ActivationBytes.InFlight(spec, options), LogitBytes(spec, options))),
                new(Scratch, ScratchBytes),
            ]);
    }

    /// <summary>The longest sequence whose plan fits in <paramref name="budgetBytes"/>.</summary>
    /// <returns>Tokens, at most the model's positions; 0 where no length fits.</returns>
    public static int LongestContext(ModelSpec spec, PlanOptions options, long budgetBytes)
    {
        int fits = 0, tooLong = spec.MaxPositions + 1;
        while (tooLong - fits > 1)
        {
            int length = fits + ((tooLong - fits) / 2);
            if (Plan(spec, options with { Length = length }).TotalBytes <= budgetBytes)
            {
                fits = length;
            }
            else
            {
                tooLong = length;
            }
        }

        return fits;
    }

    /// <summary>
    /// Of the logits that exist at a time, as the engine's loss cuts its tokens: chunks whose fp32 logits stay in a processor's caches, or are worth a card's
    /// reading of the head, with a 16-bit copy of their gradient there.
    /// </summary>
    public static long LogitBytes(ModelSpec spec, PlanOptions options)
    {
        long tokenBytes = 4L * spec.VocabularySize;
        (long bytes, long largest) = options.IsOnCard ? (128L << 20, 4096L) : (32L << 20, 512L);
        long chunk = Math.Max(SmallestLogitChunk, Math.Min(largest, bytes / tokenBytes / SmallestLogitChunk * SmallestLogitChunk));
        return Math.Min(options.Tokens, chunk) * (options.IsOnCard ? tokenBytes * 3 / 2 : tokenBytes);
    }
}
