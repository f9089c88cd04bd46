using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// The products of attention over a block of 32 queries and some keys. Keys run down the rows and queries along the lanes, so that
/// maxima and sums over keys need no shuffles. Rows behind <c>full</c> lie above the diagonal for the lower 16 queries and are skipped there.
/// </summary>
internal static unsafe class ScoreTiles
{
    private const int Lanes = QueryBlock.Lanes;
    private const int Half = Lanes / 2;

    /// <summary>result[key][query] = start[query] + sum over d of rows[key][d] * blockT[d][query].</summary>
    public static void MultiplyByQueries(int size, float* rows, int width, int full, int count, float* blockT, float* start, float* result)
    {
        int key = 0;
        for (; key < full; key += 8)
        {
            AttentionTile.Multiply8x32(size, rows + key * width, width, 1, blockT, Lanes, result + key * Lanes, Lanes, start, 0);
        }

        for (; key < count; key += 16)
        {
            AttentionTile.Multiply16x16(
                size, rows + key * width, width, 1, blockT + Half, Lanes, result + key * Lanes + Half, Lanes, start + Half, 0);
        }
    }

    /// <summary>resultT[d][query] = start[d][query] + sum over keys of rows[key][d] * weights[key][query].</summary>
    public static void MultiplyByKeys(float* rows, int width, int full, int count, float* weights, float* start, nint startRow, float* resultT)
    {
        for (int d = 0; d < width; d += 8)
        {
            AttentionTile.Multiply8x32(full, rows + d, 1, width, weights, Lanes, resultT + d * Lanes, Lanes, start + d * startRow, startRow);
        }

        if (count <= full)
        {
            return;
        }

        rows += full * width;
        weights += full * Lanes + Half;
        resultT += Half;
        for (int d = 0; d < width; d += 16)
        {
            float* c = resultT + d * Lanes;
            AttentionTile.Multiply16x16(count - full, rows + d, 1, width, weights, Lanes, c, Lanes, c, Lanes);
        }
    }

    /// <summary>result[key][d] += sum over the queries that see the key of weights[key][query] * rows[query][d].</summary>
    public static void AddToKeys(in QueryBlock block, int firstKey, int count, float* weights, float* rows, int width, float* result)
    {
        int key = 0;
        for (; key < count; key += 8)
        {
            (int first, int queries) = VisibleFrom(block, firstKey + key, 8);
            float* a = weights + key * Lanes + first;
            float* b = rows + first * width;
            float* c = result + key * width;
            int d = 0;
            if (width % 32 != 0 && width >= 48)
            {
                AttentionTile.Multiply8x48(queries, a, Lanes, 1, b, width, c, width, c, width);
                d = 48;
            }

            for (; d <= width - 32; d += 32)
            {
                AttentionTile.Multiply8x32(queries, a, Lanes, 1, b + d, width, c + d, width, c + d, width);
            }
        }

        if (width != 16)
        {
            return;
        }

        for (key = 0; key < count; key += 16)
        {
            (int first, int queries) = VisibleFrom(block, firstKey + key, 16);
            float* c = result + key * width;
            AttentionTile.Multiply16x16(queries, weights + key * Lanes + first, Lanes, 1, rows + first * width, width, c, width, c, width);
        }
    }

    /// <summary>Sets the scores of keys that a query does not see to minus infinity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Mask(in QueryBlock block, int firstKey, int rows, float* scores)
    {
        // A query in lane i sees the keys from Position + i - Window + 1 to Position + i.
        for (int key = Math.Max(0, block.Position + 1 - firstKey); key < rows; key++)
        {
            MaskRow(scores + key * Lanes, firstKey + key - block.Position, Lanes);
        }

        if (block.Window > 0)
        {
            int end = Math.Min(rows, block.Position + Lanes - block.Window - firstKey);
            for (int key = 0; key < end; key++)
            {
                MaskRow(scores + key * Lanes, 0, firstKey + key - block.Position + block.Window);
            }
        }

    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MaskRow(float* row, int firstLane, int endLane)
    {
        Vector512<int> lanes = Vector512<int>.Indices, upper = lanes + Vector512.Create(Half);
        Vector512<int> first = Vector512.Create(firstLane), end = Vector512.Create(endLane);
        Vector512<float> hidden = Vector512.Create(float.NegativeInfinity);
        Vector512<int> sees0 = Vector512.GreaterThanOrEqual(lanes, first) & Vector512.LessThan(lanes, end);
        Vector512<int> sees1 = Vector512.GreaterThanOrEqual(upper, first) & Vector512.LessThan(upper, end);
        Vector512.ConditionalSelect(sees0.AsSingle(), Vector512.Load(row), hidden).Store(row);
        Vector512.ConditionalSelect(sees1.AsSingle(), Vector512.Load(row + Half), hidden).Store(row + Half);
    }

    /// <summary>The queries of the block that see at least one of the given keys.</summary>
    private static (int First, int Count) VisibleFrom(in QueryBlock block, int key, int keys)
    {
        int first = Math.Clamp(key - block.Position, 0, Lanes);
        int end = block.Window == 0 ? block.Valid : Math.Min(block.Valid, key + keys - 1 - block.Position + block.Window);
        return (first, Math.Max(0, end - first));
    }
}
