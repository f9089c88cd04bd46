using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// The gradients of keys and values on the tensor cores: each block owns a tile of keys of one key head and walks over all queries that see them, query head
/// after query head, so sums have one fixed order and nothing is added atomically. Queries and output gradients have one buffer in shared memory
/// each, with three barriers an iteration. TParts warps share 16 keys: each has the scores of all, and the sums of its part of the head's columns.
/// </summary>
internal static class AttentionBackwardKeyValue<TCore, TLayout, TCopy, TWarps, TParts, TStatistics, TKey, TValue, TScores, TOutput>
    where TCore : struct, ITensorCore
    where TLayout : struct, ITileLayout
    where TCopy : struct, ITileCopy<TCopy>
    where TWarps : struct, ICount
    where TParts : struct, ICount
    where TStatistics : struct, IQueryStatistics<TStatistics>
    where TKey : struct, IFragments<TKey>
    where TValue : struct, IFragments<TValue>
    where TScores : struct, IAccumulators<TScores>
    where TOutput : struct, IAccumulators<TOutput>
{
    /// <summary>
    /// dValue = Σ pᵀ · dOutput and dKey = scale · Σ dSᵀ · query. Grid (tiles of 16 * warps / parts keys, key heads), 32 * warps threads;
    /// query tiles have 16 * TScores.Tiles queries.
    /// </summary>
    /// <param name="query">[tokens, heads * size] in chunks of eight elements.</param>
    /// <param name="key">[tokens, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="dOutput">As the queries.</param>
    /// <param name="logSumExp">From the forward pass [heads, tokens].</param>
    /// <param name="delta">From <see cref="AttentionDelta"/> [heads, tokens].</param>
    /// <param name="dKey">A result, as the keys.</param>
    /// <param name="dValue">A result, as the keys.</param>
    /// <param name="tiles">See <see cref="TileList"/>.</param>
    /// <param name="sizes">The sizes.</param>
    public static void Run(
        ArrayView<U4> query, ArrayView<U4> key, ArrayView<U4> value, ArrayView<U4> dOutput, ArrayView<float> logSumExp, ArrayView<float> delta,
        ArrayView<U4> dKey, ArrayView<U4> dValue, ArrayView<int> tiles, AttentionSizes sizes)
    {
        int place = TileList.Stride * Grid.IdxX, keyHead = Grid.IdxY, start = tiles[place], length = tiles[place + 1], firstKey = tiles[place + 2];
        int keyWarps = TWarps.Value / TParts.Value, tileKeys = 16 * keyWarps, tileQueries = 16 * TScores.Tiles, threads = 32 * TWarps.Value, size = TKey.Steps;
        uint stride = TLayout.Stride(32 * (uint)size);
        int keyRows = TKey.StaysShared ? tileKeys : 0, valueRows = TValue.StaysShared ? tileKeys : 0, statisticsChunks = TStatistics.SharedChunks(tileQueries);
        var memory = SharedMemory.Allocate<U4>(
            Math.Max(keyRows + valueRows + 2 * tileQueries, tileKeys) * (int)(TLayout.Stride(32 * (uint)size) / 16) + statisticsChunks);
        uint statisticsPlace = Ptx.SharedAddress(ref memory[0]), keyTile = statisticsPlace + 16 * (uint)statisticsChunks;
        uint valueTile = keyTile + (uint)keyRows * stride, queryTile = valueTile + (uint)valueRows * stride;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, keyWarp = warp % keyWarps, part = warp / keyWarps;

        var keys = TileSource.Of<TLayout>(key, start, length, keyHead, sizes.KeyHeads, keyTile, tileKeys, size, threads);
        TKey keyFragments = TileSource.LoadFragments<TLayout, TKey>(keys, firstKey, 16 * (uint)keyWarp);
        var values = TileSource.Of<TLayout>(value, start, length, keyHead, sizes.KeyHeads, valueTile, tileKeys, size, threads);
        TValue valueFragments = TileSource.LoadFragments<TLayout, TValue>(values, firstKey, 16 * (uint)keyWarp);

        int head = keyHead * sizes.Group, lastHead = Ptx.Pin(head + sizes.Group);
        var queries = TileSource.Of<TLayout>(query, start, length, head, sizes.Heads, queryTile, tileQueries, size, threads);
        TileSource gradients = TileSource.Beside(queries, dOutput, (uint)tileQueries * stride);
        uint partBytes = (uint)(part * 32 * TOutput.Tiles);
        LaneAddress queryRows = LaneAddress.OfRows<TLayout>(queryTile, stride, lane);
        LaneAddress queryColumns = LaneAddress.OfColumns<TLayout>(queryTile + partBytes, stride, lane);
        LaneAddress gradientRows = LaneAddress.Beyond(queryRows, (uint)tileQueries * stride);
        LaneAddress gradientColumns = LaneAddress.Beyond(queryColumns, (uint)tileQueries * stride);

        int warpKey = Ptx.Pin(firstKey + 16 * keyWarp), laneKey = Ptx.Pin(warpKey + (lane >> 2)), laneColumn = Ptx.Pin((lane & 3) * 2);
        int lastQuery = Ptx.Pin(Math.Min(length, firstKey + tileKeys - 1 + sizes.Window)), firstQuery = Ptx.Pin(firstKey / tileQueries * tileQueries);
        float factor = sizes.ScaleLog2;
        int row = Ptx.Pin(head * sizes.Tokens + start), tileQuery = firstQuery;
        var sources = new QueryValues { LogSumExp = logSumExp, Delta = delta, Length = length };
        TOutput keySum = default, valueSum = default;
        TileCopy.End<TCopy, TLayout>(TileCopy.Begin<TCopy, TLayout>(queries, tileQuery), queries);
        TStatistics statistics = TStatistics.Begin(TStatistics.Create(sources, statisticsPlace, tileQueries), row, tileQuery);
        TStatistics.End(statistics);
        while (head < lastHead)
        {
            Group.Barrier(); // queries and statistics are there, the output gradient is free
            TCopy nextGradients = TileCopy.Begin<TCopy, TLayout>(gradients, tileQuery);
            TScores scores = TKey.MultiplyByRows<TScores, TCore, TLayout>(keyFragments, default, queryRows, stride, 0);
            if (tileQuery < warpKey + 15 | tileQuery + tileQueries > warpKey + sizes.Window)
            {
                scores = TScores.Map(scores, KeyRange.Mask(laneKey - tileQuery - laneColumn, sizes.Window, ColumnRangeMask.FiniteHidden), 0);
            }

            TScores weights = TScores.Map(scores, new ColumnExp2<TStatistics> { Factor = factor, Statistics = statistics }, 0);
            TileCopy.End<TCopy, TLayout>(nextGradients, gradients);
            Group.Barrier(); // the output gradient is there
            scores = TValue.MultiplyByRows<TScores, TCore, TLayout>(valueFragments, default, gradientRows, stride, 0);
            scores = TScores.Zip(weights, scores, new ColumnSoftmaxGradient<TStatistics> { Statistics = statistics }, 0);
            keySum = TScores.MultiplyInto<TOutput, TCore, TLayout>(scores, keySum, queryColumns, stride);
            Group.Barrier(); // queries and statistics are free

            tileQuery += tileQueries;
            if (tileQuery >= lastQuery)
            {
                tileQuery = firstQuery;
                head++;
                row += sizes.Tokens;
                queries.First += 2 * size;
                gradients.First = queries.First;
            }

            bool more = head < lastHead;
            TCopy nextQueries = default;
            if (more)
            {
                nextQueries = TileCopy.Begin<TCopy, TLayout>(queries, tileQuery);
                statistics = TStatistics.Begin(statistics, row, tileQuery);
            }

            valueSum = TScores.MultiplyInto<TOutput, TCore, TLayout>(weights, valueSum, gradientColumns, stride);
            if (more)
            {
                TileCopy.End<TCopy, TLayout>(nextQueries, queries);
                TStatistics.End(statistics);
            }
        }

        keySum = TOutput.Map(keySum, new RowScale { Factor = RowPair.Create(sizes.Scale, sizes.Scale) }, 0);
        Group.Barrier(); // the tiles are free
        int tokenStride = sizes.KeyHeads * 2 * size;
        var stored = new OutputTile
        {
            First = start * tokenStride + keyHead * 2 * size + part * 2 * TOutput.Tiles,
            Stride = tokenStride,
            FirstRow = firstKey + 16 * keyWarp,
            Rows = length,
            Tile = keyTile + (uint)(16 * keyWarp) * stride + partBytes,
            TileStride = stride,
        };
        OutputTile.Store<TCore, TLayout, TOutput>(stored, keySum, dKey);
        Ptx.WarpBarrier();
        OutputTile.Store<TCore, TLayout, TOutput>(stored, valueSum, dValue);
    }
}
