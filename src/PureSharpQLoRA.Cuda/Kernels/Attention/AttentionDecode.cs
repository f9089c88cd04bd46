using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// Attention of one new token over a cache, the first of two passes. The query heads of a group are the rows of one 16-row product, so the cache is read
/// once for all of them; the keys are split over blocks, and in a block over its warps, of which TParts share 16 keys of each tile: each has the scores of
/// all, and its part of the head's columns. <see cref="AttentionDecodeSum"/> puts the splits together.
/// </summary>
internal static class AttentionDecode<TCore, TLayout, TCopy, TWarps, TParts, TQuery, TOutput>
    where TCore : struct, ITensorCore
    where TLayout : struct, ITileLayout
    where TCopy : struct, ITileCopy<TCopy>
    where TWarps : struct, ICount
    where TParts : struct, ICount
    where TQuery : struct, IFragments<TQuery>
    where TOutput : struct, IAccumulators<TOutput>
{
    /// <summary>
    /// Softmax-weighted means of values. Grid (blocks, key heads), 32 * warps threads; a tile has 16 * warps / parts keys, and block b takes the tiles from
    /// b * tilesPerBlock on, counted from the first that is seen. Split s = warps / parts * b + w.
    /// </summary>
    /// <param name="query">[heads, size] in chunks of eight elements.</param>
    /// <param name="key">[length or more, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="means">Result [splits, heads, size].</param>
    /// <param name="logSums">Log2 of each split's sum of exponentials, -infinity for none [splits, heads].</param>
    /// <param name="tilesPerBlock">Tiles a block takes.</param>
    /// <param name="sizes">The sizes.</param>
    public static void Run(
        ArrayView<U4> query, ArrayView<U4> key, ArrayView<U4> value, ArrayView<float> means, ArrayView<float> logSums, int tilesPerBlock, AttentionSizes sizes)
    {
        int keyHead = Grid.IdxY, thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, length = sizes.Past + 1;
        int keyWarps = TWarps.Value / TParts.Value, tileKeys = 16 * keyWarps, threads = 32 * TWarps.Value, size = TQuery.Steps;
        int keyWarp = warp % keyWarps, part = warp / keyWarps;
        uint stride = TLayout.Stride(32 * (uint)size), partBytes = (uint)(part * 32 * TOutput.Tiles);
        var memory = SharedMemory.Allocate<U4>(2 * tileKeys * (int)(TLayout.Stride(32 * (uint)size) / 16));
        uint keyTile = Ptx.SharedAddress(ref memory[0]), valueTile = keyTile + (uint)tileKeys * stride;
        // The heads of the group are the rows of one matrix; rows past the group repeat its last head.
        var queries = TileSource.Of<TLayout>(query, keyHead * sizes.Group, sizes.Group, 0, 1, keyTile, tileKeys, size, threads);
        TQuery fragments = TileSource.LoadFragments<TLayout, TQuery>(queries, 0, 0);
        var keys = TileSource.Of<TLayout>(key, 0, length, keyHead, sizes.KeyHeads, keyTile, tileKeys, size, threads);
        TileSource values = TileSource.Beside(keys, value, (uint)tileKeys * stride);
        LaneAddress keyRows = LaneAddress.OfRows<TLayout>(keyTile + (uint)(16 * keyWarp) * stride, stride, lane);
        LaneAddress valueColumns = LaneAddress.OfColumns<TLayout>(valueTile + (uint)(16 * keyWarp) * stride + partBytes, stride, lane);

        int oldest = KeyRange.First(length - 1, sizes.Window), warpColumn = Ptx.Pin(16 * keyWarp + (lane & 3) * 2);
        int firstKey = oldest / tileKeys * tileKeys + Grid.IdxX * tilesPerBlock * tileKeys;
        int lastKey = Ptx.Pin(Math.Min(length, firstKey + tilesPerBlock * tileKeys));
        float factor = sizes.ScaleLog2;
        var softmax = OnlineSoftmax.Create();
        TOutput output = default;
        TileCopy.End<TCopy, TLayout>(TileCopy.Begin<TCopy, TLayout>(keys, firstKey), keys);
        for (int tileKey = firstKey; tileKey < lastKey; tileKey += tileKeys)
        {
            Group.Barrier(); // keys are there, values are free
            TCopy nextValues = TileCopy.Begin<TCopy, TLayout>(values, tileKey);
            Tile scores = TQuery.MultiplyByRows<Tile, TCore, TLayout>(fragments, default, keyRows, stride, 0);
            TileCopy.End<TCopy, TLayout>(nextValues, values);
            Group.Barrier(); // values are there, keys are free
            bool more = tileKey + tileKeys < lastKey;
            TCopy nextKeys = default;
            if (more)
            {
                nextKeys = TileCopy.Begin<TCopy, TLayout>(keys, tileKey + tileKeys);
            }

            int first = oldest - tileKey - warpColumn;
            var mask = new ColumnRangeMask { FirstLow = first, FirstHigh = first, Span = (uint)(length - 1 - oldest), Hidden = float.NegativeInfinity };
            scores = Tile.Map(scores, mask, 0);
            RowPair maximum = RowPair.QuadMax(Tile.Fold(scores, new RowMaximum { Value = softmax.Maximum }, 0).Value);
            RowPair offset = OnlineSoftmax.Offset(maximum, factor), shrink = OnlineSoftmax.Shrink(softmax.Maximum, offset, factor);
            scores = Tile.Map(scores, new RowExp2 { Factor = factor, Offset = offset }, 0);
            softmax.Maximum = maximum;
            softmax.Sum = Tile.Fold(scores, new RowSum { Value = RowPair.Create(softmax.Sum.Low * shrink.Low, softmax.Sum.High * shrink.High) }, 0).Value;
            output = TOutput.Map(output, new RowScale { Factor = shrink }, 0);
            output = Tile.MultiplyInto<TOutput, TCore, TLayout>(scores, output, valueColumns, stride);
            if (more)
            {
                TileCopy.End<TCopy, TLayout>(nextKeys, keys);
            }
        }

        RowPair sum = RowPair.QuadSum(softmax.Sum);
        output = TOutput.Map(output, new RowScale { Factor = RowPair.Create(Inverse(sum.Low), Inverse(sum.High)) }, 0);
        int split = Grid.IdxX * keyWarps + keyWarp, row = lane >> 2, place = split * sizes.Heads + keyHead * sizes.Group + row;
        if (part == 0 & row < sizes.Group & (lane & 3) == 0)
        {
            logSums[place] = softmax.Maximum.Low * factor + Ptx.Log2(sum.Low);
        }

        if (part == 0 & row + 8 < sizes.Group & (lane & 3) == 0)
        {
            logSums[place + 8] = softmax.Maximum.High * factor + Ptx.Log2(sum.High);
        }

        var writer = new FloatRowWriter
        {
            Target = means,
            Place = place * 16 * size + part * 16 * TOutput.Tiles + (lane & 3) * 2,
            EightRows = 8 * 16 * size,
            Row = row,
            Rows = sizes.Group,
        };
        TOutput.Fold(output, writer, 0);
    }

    /// <summary>A split without keys has the mean 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Inverse(float sum) => Ptx.Reciprocal(Ptx.Max(sum, 1e-30f));
}

/// <summary>Writes accumulators as floats, rows from Rows on left out.</summary>
internal struct FloatRowWriter : ITileFold<FloatRowWriter>
{
    public ArrayView<float> Target;

    public int Place, EightRows, Row, Rows;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatRowWriter Add(FloatRowWriter state, Tile tile, int column)
    {
        if (state.Row < state.Rows)
        {
            Ptx.StoreGlobal(ref state.Target[state.Place + column], tile.Left.X, tile.Left.Y);
            Ptx.StoreGlobal(ref state.Target[state.Place + column + 8], tile.Right.X, tile.Right.Y);
        }

        if (state.Row + 8 < state.Rows)
        {
            Ptx.StoreGlobal(ref state.Target[state.Place + state.EightRows + column], tile.Left.Z, tile.Left.W);
            Ptx.StoreGlobal(ref state.Target[state.Place + state.EightRows + column + 8], tile.Right.Z, tile.Right.W);
        }

        return state;
    }
}
