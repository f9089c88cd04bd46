using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// Gradients of a range of keys of one key head, and their share of the query gradients. With P the probabilities, recomputed from the
/// logarithms that the forward pass kept: dV = P^T dO, dS = P (dO V^T - delta), dQ = scale dS K, dK = scale dS^T Q (arXiv:2205.14135, section B).
/// </summary>
internal static unsafe class BackwardTask
{
    private const int Lanes = QueryBlock.Lanes;
    private const int Half = Lanes / 2;

    /// <param name="plan">The call.</param>
    /// <param name="scratch">The thread's memory.</param>
    /// <param name="part">The keys.</param>
    /// <param name="queryGradient">Where the part's query gradients go, [tokens or the document's length, query width].</param>
    /// <param name="keyHead">The key head.</param>
    public static void Run(AttentionPlan plan, in AttentionWorkspace scratch, in BackwardPart part, float* queryGradient, int keyHead)
    {
        int size = plan.Shape.HeadSize, width = plan.Width;
        for (int first = part.FirstKey; first < part.EndKey; first += AttentionWorkspace.SegmentKeys)
        {
            int count = Math.Min(AttentionWorkspace.SegmentKeys, part.EndKey - first);
            int padded = Packing.RoundUp(count, Packing.RowUnit) * width;
            new Span<float>(scratch.KeyGradients, padded).Clear();
            new Span<float>(scratch.ValueGradients, padded).Clear();
            for (int head = keyHead * plan.Group; head < (keyHead + 1) * plan.Group; head++)
            {
                for (int index = first / Lanes; index < plan.Blocks(part.Document); index++)
                {
                    QueryBlock block = plan.Block(part.Document, index);
                    int firstSeen = Math.Max(first, block.FirstKey), endSeen = Math.Min(first + count, block.EndKey);
                    if (firstSeen < endSeen)
                    {
                        bool add = Math.Max(part.FirstKey, block.FirstKey) < first;
                        float* gradient = queryGradient + (long)block.First * plan.Shape.QueryWidth + head * size;
                        RunBlock(plan, scratch, part.Document, head, block, first, firstSeen, endSeen, gradient, add);
                    }
                }
            }

            float* keyGradient = plan.KeyRow(plan.Operands.KeyGradient, part.Document, first, keyHead);
            float* valueGradient = plan.KeyRow(plan.Operands.ValueGradient, part.Document, first, keyHead);
            float keyFactor = ForwardBlock.Ln2, valueFactor = 1;
            Packing.Unpack(scratch.KeyGradients, width, count, size, &keyFactor, 0, false, keyGradient, plan.Shape.KeyWidth);
            Packing.Unpack(scratch.ValueGradients, width, count, size, &valueFactor, 0, false, valueGradient, plan.Shape.KeyWidth);
        }
    }

    private static void RunBlock(
        AttentionPlan plan, in AttentionWorkspace scratch, int document, int head, in QueryBlock block,
        int segment, int firstKey, int endKey, float* queryGradient, bool add)
    {
        int size = plan.Shape.HeadSize, width = plan.Width, stride = plan.Shape.QueryWidth;
        PrepareQueries(plan, scratch, document, head, block);
        for (int first = firstKey; first < endKey; first += AttentionWorkspace.BackwardKeys)
        {
            int count = Math.Min(AttentionWorkspace.BackwardKeys, endKey - first);
            int full = block.FullRows(first, count), rows = QueryBlock.Rows(full, count);
            float* keys = plan.Packed(plan.PackedKeys, document, head / plan.Group, first);
            float* values = plan.Packed(plan.PackedValues, document, head / plan.Group, first);
            ScoreTiles.MultiplyByQueries(size, keys, width, full, rows, scratch.QueryT, scratch.Shift, scratch.Scores);
            ScoreTiles.Mask(block, first, rows, scratch.Scores);
            ScoreTiles.MultiplyByQueries(size, values, width, full, rows, scratch.GradientT, scratch.Delta, scratch.ScoreGradients);
            Differentiate(scratch.Scores, scratch.ScoreGradients, full);
            Differentiate(scratch.Scores + Half, scratch.ScoreGradients + Half, rows);
            ScoreTiles.MultiplyByKeys(
                block, first, rows, scratch.ScoreGradients, keys, width, scratch.Zeros, first > firstKey, scratch.Result);
            int offset = (first - segment) * width;
            ScoreTiles.AddToKeys(block, first, rows, scratch.ScoreGradients, scratch.QueryRows, width, scratch.KeyGradients + offset);
            ScoreTiles.AddToKeys(block, first, rows, scratch.Scores, scratch.GradientRows, width, scratch.ValueGradients + offset);
        }

        float scale = plan.Shape.Scale;
        Packing.Unpack(scratch.Result, width, block.Valid, size, &scale, 0, add, queryGradient, stride);
    }

    private static void PrepareQueries(AttentionPlan plan, in AttentionWorkspace scratch, int document, int head, in QueryBlock block)
    {
        int size = plan.Shape.HeadSize, width = plan.Width, stride = plan.Shape.QueryWidth;
        float* query = plan.QueryRow(plan.Operands.Query, document, block.First, head);
        float* output = plan.QueryRow(plan.Operands.Output, document, block.First, head);
        float* gradient = plan.QueryRow(plan.Operands.OutputGradient, document, block.First, head);
        float* logs = plan.Operands.LogSumExp + (long)head * plan.Tokens + plan.Start(document) + block.First;
        Packing.Pack(query, stride, block.Valid, size, plan.Shape.Scale * ForwardBlock.Log2E, scratch.QueryRows, width, Lanes);
        Packing.Pack(gradient, stride, block.Valid, size, 1, scratch.GradientRows, width, Lanes);
        BlockTranspose.Run(scratch.QueryRows, width, Lanes, width, 1, scratch.QueryT, Lanes);
        BlockTranspose.Run(scratch.GradientRows, width, Lanes, width, 1, scratch.GradientT, Lanes);
        for (int i = 0; i < block.Valid; i++)
        {
            scratch.Shift[i] = -ForwardBlock.Log2E * logs[i];
            scratch.Delta[i] = -Packing.Dot(gradient + (long)i * stride, output + (long)i * stride, size);
        }

        // Lanes without a query: probability 0.
        new Span<float>(scratch.Shift + block.Valid, Lanes - block.Valid).Fill(float.NegativeInfinity);
        new Span<float>(scratch.Delta + block.Valid, Lanes - block.Valid).Clear();
    }

    /// <summary>Scores become probabilities, and gradients of probabilities those of scores.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Differentiate(float* scores, float* gradients, int rows)
    {
        for (int row = 0; row < rows; row++, scores += Lanes, gradients += Lanes)
        {
            Vector512<float> p = VectorMath.Exp2(Vector512.Load(scores));
            p.Store(scores);
            (p * Vector512.Load(gradients)).Store(gradients);
        }
    }
}
