using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>Bytes of AdamW's two moments.</summary>
public static class OptimizerBytes
{
    private const int BlockSize = 256;

    // As the engine's optimizer has it: smaller tensors keep fp32 moments.
    private const int SmallestTensor = 4096;

    /// <summary>Of all trained tensors.</summary>
    public static long Of(ModelSpec spec, PlanOptions options)
    {
        bool isFull = options.Method == TrainingMethod.Full;
        long block = spec.BlockLinears
            .Where(linear => isFull || WeightCounts.IsTarget(linear, options.TargetModules))
            .Sum(linear => isFull
                ? Tensor(linear.Weights, options) + Tensor(linear.Bias ? linear.Outputs : 0, options)
                : Tensor((long)options.Rank * linear.Inputs, options) + Tensor((long)options.Rank * linear.Outputs, options));
        if (!isFull)
        {
            return spec.Layers * block;
        }

        long headNorms = spec.QueryKeyNorm ? 2 * Tensor(spec.HeadSize, options) : 0;
        long norm = Tensor(spec.HiddenSize, options), table = Tensor((long)spec.VocabularySize * spec.HiddenSize, options);
        return (spec.Layers * (block + (2 * norm) + headNorms)) + norm + (table * (spec.TiedEmbeddings ? 1 : 2));
    }

    private static long Tensor(long elements, PlanOptions options) => options.OptimizerBits == 8 && elements >= SmallestTensor
        ? 2 * (elements + (4 * ((elements + BlockSize - 1) / BlockSize)))
        : 8 * elements;
}
