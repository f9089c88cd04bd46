using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// Attention of one new token over a cache, for generation: every key and value is read once for the query heads that share it, where it lies.
/// </summary>
internal static unsafe class FewQueries
{
    /// <summary>Up to how many queries this is faster than copying keys and values for blocks of 32.</summary>
    public const int Most = 4;

    /// <summary>Floats of scratch that a thread needs.</summary>
    public static long Floats(AttentionPlan plan) => (long)plan.Group * ScoreStride(plan);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(AttentionPlan plan, float* scores, int row, int keyHead)
    {
        int size = plan.Shape.HeadSize, window = plan.Shape.SlidingWindow, group = plan.Group;
        int end = plan.Past + row + 1, first = window == 0 ? 0 : Math.Max(0, end - window), count = end - first;
        int stride = ScoreStride(plan);
        float* query = plan.QueryRow(plan.Operands.Query, 0, row, keyHead * group);
        float* output = plan.QueryRow(plan.Operands.Output, 0, row, keyHead * group);
        for (int key = 0; key < count; key++)
        {
            float* keyRow = plan.KeyRow(plan.Operands.Key, 0, first + key, keyHead);
            for (int i = 0; i < group; i++)
            {
                scores[i * stride + key] = Packing.Dot(query + i * size, keyRow, size) * plan.Shape.Scale * ForwardBlock.Log2E;
            }
        }

        for (int i = 0; i < group; i++)
        {
            float logarithm = Softmax(scores + i * stride, count);
            new Span<float>(output + i * size, size).Clear();
            if (plan.Operands.LogSumExp != null)
            {
                plan.Operands.LogSumExp[(long)(keyHead * group + i) * plan.Tokens + row] = logarithm;
            }
        }

        for (int key = 0; key < count; key++)
        {
            float* valueRow = plan.KeyRow(plan.Operands.Value, 0, first + key, keyHead);
            for (int i = 0; i < group; i++)
            {
                Add(scores[i * stride + key], valueRow, output + i * size, size);
            }
        }
    }

    /// <summary>Makes probabilities of scores in units of log 2; returns the natural logarithm of the sum of their exponentials.</summary>
    private static float Softmax(float* scores, int count)
    {
        float max = float.NegativeInfinity;
        for (int key = 0; key < count; key++)
        {
            max = MathF.Max(max, scores[key]);
        }

        Vector512<float> sums = default;
        for (int key = 0; key < count; key += VectorParts.Lanes)
        {
            Vector512<float> p = VectorMath.Exp2(VectorParts.Load(scores + key, count - key, float.NegativeInfinity) - Vector512.Create(max));
            VectorParts.Store(p, scores + key, count - key);
            sums += p;
        }

        float sum = Vector512.Sum(sums), factor = 1 / sum;
        for (int key = 0; key < count; key++)
        {
            scores[key] *= factor;
        }

        return (max + MathF.Log2(sum)) * ForwardBlock.Ln2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add(float factor, float* from, float* to, int size)
    {
        int d = 0;
        for (; d <= size - VectorParts.Lanes; d += VectorParts.Lanes)
        {
            Vector512.MultiplyAddEstimate(Vector512.Create(factor), Vector512.Load(from + d), Vector512.Load(to + d)).Store(to + d);
        }

        for (; d < size; d++)
        {
            to[d] += factor * from[d];
        }
    }

    private static int ScoreStride(AttentionPlan plan) => Packing.RoundUp(plan.Past + Most, VectorParts.Lanes);
}
