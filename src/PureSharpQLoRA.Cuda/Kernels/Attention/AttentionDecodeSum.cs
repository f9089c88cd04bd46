using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>The second pass of attention of one token: the means of the splits, weighted by their sums of exponentials.</summary>
internal static class AttentionDecodeSum
{
    public const int Threads = 64;

    /// <summary>output[head] = Σ over splits of 2^(logSum - largest) · mean, over the sum of these weights. Grid heads.</summary>
    /// <param name="means">[splits, heads, size].</param>
    /// <param name="logSums">[splits, heads].</param>
    /// <param name="output">[heads, size] in pairs of 16-bit elements.</param>
    /// <param name="splits">Splits.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="pairs">Half of the head size.</param>
    public static void Run<TCore>(ArrayView<F2> means, ArrayView<float> logSums, ArrayView<uint> output, int splits, int heads, int pairs)
        where TCore : struct, ITensorCore
    {
        int head = Grid.IdxX;
        float maximum = float.MinValue;
        for (int split = 0; split < splits; split++)
        {
            maximum = Ptx.Max(maximum, logSums[split * heads + head]);
        }

        for (int pair = Group.IdxX; pair < pairs; pair += Threads)
        {
            float x = 0, y = 0, sum = 0;
            for (int split = 0; split < splits; split++)
            {
                float weight = Ptx.Exp2(logSums[split * heads + head] - maximum);
                F2 mean = means[(split * heads + head) * pairs + pair];
                x += weight * mean.X;
                y += weight * mean.Y;
                sum += weight;
            }

            float inverse = Ptx.Reciprocal(sum);
            output[head * pairs + pair] = TCore.Pack(x * inverse, y * inverse);
        }
    }
}
