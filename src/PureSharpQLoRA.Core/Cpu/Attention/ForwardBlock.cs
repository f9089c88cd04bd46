using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>The output of 32 queries of one head by an online softmax over blocks of keys (Dao et al. 2022, arXiv:2205.14135).</summary>
internal static unsafe class ForwardBlock
{
    /// <summary>Scores are in units of log 2, so that the softmax needs no multiplication for e^x = 2^(x log2 e).</summary>
    public const float Log2E = 1.44269504f;

    public const float Ln2 = 0.693147181f;

    private const int Lanes = QueryBlock.Lanes;
    private const int Half = Lanes / 2;

    /// <summary>Below every real score, yet finite: a query may see none of the keys of a block.</summary>
    private const float Lowest = -1e30f;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(AttentionPlan plan, in AttentionWorkspace scratch, int document, int head, int index)
    {
        QueryBlock block = plan.Block(document, index);
        int size = plan.Shape.HeadSize, width = plan.Width, keyHead = head / plan.Group;
        float* query = plan.QueryRow(plan.Operands.Query, document, block.First, head);
        if (block.Valid == Lanes && size % 8 == 0)
        {
            BlockTranspose.Run(query, plan.Shape.QueryWidth, Lanes, size, plan.Shape.Scale * Log2E, scratch.QueryT, Lanes);
        }
        else
        {
            Packing.Pack(query, plan.Shape.QueryWidth, block.Valid, size, plan.Shape.Scale * Log2E, scratch.QueryRows, width, Lanes);
            BlockTranspose.Run(scratch.QueryRows, width, Lanes, width, 1, scratch.QueryT, Lanes);
        }

        float* scores = scratch.Scores;
        Vector512<float> max0 = Vector512.Create(Lowest), max1 = max0;
        Vector512<float> sum0 = default, sum1 = default;
        for (int first = block.FirstKey; first < block.EndKey; first += AttentionWorkspace.ForwardKeys)
        {
            int count = Math.Min(AttentionWorkspace.ForwardKeys, block.EndKey - first);
            int full = block.FullRows(first, count), rows = QueryBlock.Rows(full, count);
            float* keys = plan.Packed(plan.PackedKeys, document, keyHead, first);
            ScoreTiles.MultiplyByQueries(size, keys, width, full, rows, scratch.QueryT, scratch.Zeros, scores);
            ScoreTiles.Mask(block, first, rows, scores);
            Vector512<float> old0 = max0, old1 = max1;
            max0 = Max(scores, full, max0);
            max1 = Max(scores + Half, rows, max1);
            Vector512<float> shrink0 = VectorMath.Exp2(old0 - max0), shrink1 = VectorMath.Exp2(old1 - max1);
            sum0 = sum0 * shrink0 + Exponentials(scores, full, max0);
            sum1 = sum1 * shrink1 + Exponentials(scores + Half, rows, max1);
            float* values = plan.Packed(plan.PackedValues, document, keyHead, first);
            bool add = first > block.FirstKey;
            if (add)
            {
                shrink0.Store(scratch.Shift);
                shrink1.Store(scratch.Shift + Half);
                Packing.Unpack(scratch.Result, width, Lanes, width, scratch.Shift, 1, false, scratch.Result, width);
            }

            ScoreTiles.MultiplyByKeys(block, first, rows, scores, values, width, scratch.Zeros, add, scratch.Result);
        }

        (Vector512<float>.One / sum0).Store(scratch.Shift);
        (Vector512<float>.One / sum1).Store(scratch.Shift + Half);
        float* output = plan.QueryRow(plan.Operands.Output, document, block.First, head);
        Packing.Unpack(scratch.Result, width, block.Valid, size, scratch.Shift, 1, false, output, plan.Shape.QueryWidth);
        if (plan.Operands.LogSumExp != null)
        {
            float* logs = plan.Operands.LogSumExp + (long)head * plan.Tokens + plan.Start(document) + block.First;
            VectorParts.Store((max0 + Vector512.Log2(sum0)) * Ln2, logs, block.Valid);
            if (block.Valid > Half)
            {
                VectorParts.Store((max1 + Vector512.Log2(sum1)) * Ln2, logs + Half, block.Valid - Half);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Max(float* scores, int rows, Vector512<float> max)
    {
        // Two chains, because each comparison waits for the one before it.
        Vector512<float> other = max;
        for (int row = 0; row < rows; row += 2, scores += 2 * Lanes)
        {
            max = Vector512.MaxNative(max, Vector512.Load(scores));
            other = Vector512.MaxNative(other, Vector512.Load(scores + Lanes));
        }

        return Vector512.MaxNative(max, other);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exponentials(float* scores, int rows, Vector512<float> max)
    {
        Vector512<float> sum = default, other = default;
        for (int row = 0; row < rows; row += 2, scores += 2 * Lanes)
        {
            Vector512<float> p = VectorMath.Exp2(Vector512.Load(scores) - max), q = VectorMath.Exp2(Vector512.Load(scores + Lanes) - max);
            p.Store(scores);
            q.Store(scores + Lanes);
            sum += p;
            other += q;
        }

        return sum + other;
    }
}
