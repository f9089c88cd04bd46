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

    /// <summary>result[query][d] = (add ? result : 0) + sum over the keys that the query sees of weights[key][query] * rows[key][d].</summary>
    public static void MultiplyByKeys(
        in QueryBlock block, int firstKey, int count, float* weights, float* rows, int width, float* zeros, bool add, float* result)
    {
        int tile = TileRows(width);
        for (int lane = 0; lane < block.Valid; lane += tile)
        {
            int first = block.Window == 0 ? 0 : Math.Clamp(block.Position + lane - block.Window + 1 - firstKey, 0, count);
            int end = Math.Min(count, block.Position + lane + tile - firstKey);
            float* c = result + lane * width;
            Multiply(
                Math.Max(0, end - first), weights + first * Lanes + lane, 1, Lanes, rows + first * width, width, c, add ? c : zeros, add ? width : 0);
        }
    }

    /// <summary>result[key][d] += sum over the queries that see the key of weights[key][query] * rows[query][d].</summary>
    public static void AddToKeys(in QueryBlock block, int firstKey, int count, float* weights, float* rows, int width, float* result)
    {
        int tile = TileRows(width);
        for (int key = 0; key < count; key += tile)
        {
            int distance = firstKey + key - block.Position;
            int first = Math.Clamp(distance, 0, Lanes);
            int end = block.Window == 0 ? block.Valid : Math.Min(block.Valid, distance + tile - 1 + block.Window);
            float* c = result + key * width;
            Multiply(Math.Max(0, end - first), weights + key * Lanes + first, Lanes, 1, rows + first * width, width, c, c, width);
        }
    }

    private static int TileRows(int width) => width == 16 ? 16 : 8;

    /// <summary>A row of tiles: c[i][d] = start[i][d] + sum over s of a[i * aRow + s * aStep] * b[s][d] for all d below the width.</summary>
    private static void Multiply(
        int steps, float* a, nint aRow, nint aStep, float* b, int width, float* c, float* start, int startRow)
    {
        if (width == 16)
        {
            AttentionTile.Multiply16x16(steps, a, aRow, aStep, b, width, c, width, start, startRow);
            return;
        }

        int d = 0, startStep = startRow == 0 ? 0 : 1;
        if (width % 32 != 0)
        {
            AttentionTile.Multiply8x48(steps, a, aRow, aStep, b, width, c, width, start, startRow);
            d = 48;
        }

        for (; d < width; d += 32)
        {
            AttentionTile.Multiply8x32(steps, a, aRow, aStep, b + d, width, c + d, width, start + d * startStep, startRow);
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
}
