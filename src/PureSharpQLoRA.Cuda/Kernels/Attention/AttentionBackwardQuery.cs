using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// The gradient of the queries on the tensor cores: each block owns a tile of queries and walks over the keys, so nothing is added atomically. Keys and values
/// have one buffer in shared memory each, with two barriers an iteration. Warps that share their queries split the columns of the result, and each computes the scores.
/// </summary>
internal static class AttentionBackwardQuery<TCore, TLayout, TCopy, TWarps, TParts, TQuery, TGradient, TScores, TOutput>
    where TCore : struct, ITensorCore
    where TLayout : struct, ITileLayout
    where TCopy : struct, ITileCopy<TCopy>
    where TWarps : struct, ICount
    where TParts : struct, ICount
    where TQuery : struct, IFragments<TQuery>
    where TGradient : struct, IFragments<TGradient>
    where TScores : struct, IAccumulators<TScores>
    where TOutput : struct, IAccumulators<TOutput>
{
    /// <summary>
    /// dQuery = scale · Σ over keys of dS · key, dS = p (dOutput · value - delta). Grid (tiles of 16 * warps / parts queries, heads), 32 * warps threads.
    /// </summary>
    /// <param name="query">[tokens, heads * size] in chunks of eight elements.</param>
    /// <param name="key">[tokens, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="dOutput">As the queries.</param>
    /// <param name="logSumExp">From the forward pass [heads, tokens].</param>
    /// <param name="delta">From <see cref="AttentionDelta"/> [heads, tokens].</param>
    /// <param name="dQuery">The result, as the queries.</param>
    /// <param name="tiles">See <see cref="TileList"/>.</param>
    /// <param name="sizes">The sizes.</param>
    public static void Run(
        ArrayView<U4> query, ArrayView<U4> key, ArrayView<U4> value, ArrayView<U4> dOutput, ArrayView<float> logSumExp, ArrayView<float> delta,
        ArrayView<U4> dQuery, ArrayView<int> tiles, AttentionSizes sizes)
    {
        int place = TileList.Stride * Grid.IdxX, head = Grid.IdxY, start = tiles[place], length = tiles[place + 1], firstQuery = tiles[place + 2];
        int queryWarps = TWarps.Value / TParts.Value, tileQueries = 16 * queryWarps, tileKeys = 16 * TScores.Tiles, threads = 32 * TWarps.Value, size = TQuery.Steps;
        uint stride = TLayout.Stride(32 * (uint)size);
        int queryRows = TQuery.StaysShared ? tileQueries : 0, gradientRows = TGradient.StaysShared ? tileQueries : 0;
        var memory = SharedMemory.Allocate<U4>(
            Math.Max(queryRows + gradientRows + 2 * tileKeys, tileQueries) * (int)(TLayout.Stride(32 * (uint)size) / 16));
        uint gradientTile = Ptx.SharedAddress(ref memory[0]), queryTile = gradientTile + (uint)gradientRows * stride;
        uint keyTile = queryTile + (uint)queryRows * stride;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, queryWarp = warp % queryWarps, part = warp / queryWarps;

        // The gradients pass through the first rows of shared memory; they stay there, or leave them before the queries come.
        var gradients = TileSource.Of<TLayout>(dOutput, start, length, head, sizes.Heads, gradientTile, tileQueries, size, threads);
        TGradient gradient = TileSource.LoadFragments<TLayout, TGradient>(gradients, firstQuery, 16 * (uint)queryWarp);
        var queries = TileSource.Of<TLayout>(query, start, length, head, sizes.Heads, queryTile, tileQueries, size, threads);
        TQuery fragments = TileSource.LoadFragments<TLayout, TQuery>(queries, firstQuery, 16 * (uint)queryWarp);
        int keyHead = head / sizes.Group;
        var keys = TileSource.Of<TLayout>(key, start, length, keyHead, sizes.KeyHeads, keyTile, tileKeys, size, threads);
        TileSource values = TileSource.Beside(keys, value, (uint)tileKeys * stride);
        uint partBytes = (uint)(part * 32 * TOutput.Tiles);
        LaneAddress keyRows = LaneAddress.OfRows<TLayout>(keyTile, stride, lane), keyColumns = LaneAddress.OfColumns<TLayout>(keyTile + partBytes, stride, lane);
        LaneAddress valueRows = LaneAddress.Beyond(keyRows, (uint)tileKeys * stride);

        int warpQuery = Ptx.Pin(firstQuery + 16 * queryWarp), laneQuery = Ptx.Pin(warpQuery + (lane >> 2)), laneColumn = Ptx.Pin((lane & 3) * 2);
        int lastKey = Ptx.Pin(Math.Min(firstQuery + tileQueries, length));
        int firstKey = KeyRange.First(firstQuery, sizes.Window) / tileKeys * tileKeys;
        // Rows past the end repeat the last one; they are not stored.
        int statistics = head * sizes.Tokens + start;
        int low = statistics + Math.Min(laneQuery, length - 1), high = statistics + Math.Min(laneQuery + 8, length - 1);
        var softmax = new RowSoftmaxGradient
        {
            Factor = sizes.ScaleLog2,
            Offset = RowPair.Create(Ptx.Pin(logSumExp[low] * AttentionSizes.Log2E), Ptx.Pin(logSumExp[high] * AttentionSizes.Log2E)),
            Delta = RowPair.Create(Ptx.Pin(delta[low]), Ptx.Pin(delta[high])),
        };
        TOutput sum = default;
        TileCopy.End<TCopy, TLayout>(TileCopy.Begin<TCopy, TLayout>(values, firstKey), values);
        for (int tileKey = firstKey; tileKey < lastKey; tileKey += tileKeys)
        {
            Group.Barrier(); // values are there, keys are free
            TCopy nextKeys = TileCopy.Begin<TCopy, TLayout>(keys, tileKey);
            TScores weightGradient = TGradient.MultiplyByRows<TScores, TCore, TLayout>(gradient, default, valueRows, stride, 0);
            TileCopy.End<TCopy, TLayout>(nextKeys, keys);
            Group.Barrier(); // keys are there, values are free
            bool more = tileKey + tileKeys < lastKey;
            TCopy nextValues = default;
            if (more)
            {
                nextValues = TileCopy.Begin<TCopy, TLayout>(values, tileKey + tileKeys);
            }

            TScores scores = TQuery.MultiplyByRows<TScores, TCore, TLayout>(fragments, default, keyRows, stride, 0);
            if (KeyRange.NeedsMask(warpQuery, tileKey, tileKeys, sizes.Window))
            {
                scores = TScores.Map(scores, KeyRange.Mask(laneQuery - sizes.Window + 1 - tileKey - laneColumn, sizes.Window, ColumnRangeMask.FiniteHidden), 0);
            }

            scores = TScores.Zip(scores, weightGradient, softmax, 0);
            sum = TScores.MultiplyInto<TOutput, TCore, TLayout>(scores, sum, keyColumns, stride);
            if (more)
            {
                TileCopy.End<TCopy, TLayout>(nextValues, values);
            }
        }

        sum = TOutput.Map(sum, new RowScale { Factor = RowPair.Create(sizes.Scale, sizes.Scale) }, 0);
        Group.Barrier(); // the tiles are free
        int tokenStride = sizes.Heads * 2 * size;
        var stored = new OutputTile
        {
            First = start * tokenStride + head * 2 * size + part * 2 * TOutput.Tiles,
            Stride = tokenStride,
            FirstRow = firstQuery + 16 * queryWarp,
            Rows = length,
            Tile = gradientTile + (uint)(16 * queryWarp) * stride + partBytes,
            TileStride = stride,
        };
        OutputTile.Store<TCore, TLayout, TOutput>(stored, sum, dQuery);
    }
}
