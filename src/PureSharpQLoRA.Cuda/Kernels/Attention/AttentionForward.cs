using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// Causal attention with online softmax on the tensor cores, for head sizes that are multiples of 16: no score matrix in memory. A warp owns 16 queries; a
/// block of them walks over the keys in tiles of 16 * TScores.Tiles. Keys and values have one buffer in shared memory each: the values of a tile load under
/// query · keyᵀ, the keys of the next one under the softmax and weights · values, with two barriers an iteration.
/// </summary>
internal static class AttentionForward<TCore, TLayout, TCopy, TWarps, TQuery, TScores, TOutput>
    where TCore : struct, ITensorCore
    where TLayout : struct, ITileLayout
    where TCopy : struct, ITileCopy<TCopy>
    where TWarps : struct, ICount
    where TQuery : struct, IFragments<TQuery>
    where TScores : struct, IAccumulators<TScores>
    where TOutput : struct, IAccumulators<TOutput>
{
    /// <summary>output = softmax(scale · query · keyᵀ) · value. Grid (tiles of 16 * warps queries, heads), 32 * warps threads.</summary>
    /// <param name="query">[tokens, heads * size] in chunks of eight elements.</param>
    /// <param name="key">[past + tokens or more, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="output">As the queries.</param>
    /// <param name="logSumExp">Natural log of each query's sum of exponentials [heads, tokens]; empty if not wanted.</param>
    /// <param name="tiles">See <see cref="TileList"/>.</param>
    /// <param name="sizes">The sizes.</param>
    public static void Run(
        ArrayView<U4> query, ArrayView<U4> key, ArrayView<U4> value, ArrayView<U4> output, ArrayView<float> logSumExp, ArrayView<int> tiles,
        AttentionSizes sizes)
    {
        int place = TileList.Stride * Grid.IdxX, head = Grid.IdxY, start = tiles[place], length = tiles[place + 1], firstQuery = tiles[place + 2];
        int tileQueries = 16 * TWarps.Value, tileKeys = 16 * TScores.Tiles, threads = 32 * TWarps.Value;
        uint stride = TLayout.Stride(32 * (uint)TOutput.Tiles);
        int queryRows = TQuery.StaysShared ? tileQueries : 0;
        var memory = SharedMemory.Allocate<U4>(Math.Max(queryRows + 2 * tileKeys, tileQueries) * (int)(TLayout.Stride(32 * (uint)TOutput.Tiles) / 16));
        uint queryTile = Ptx.SharedAddress(ref memory[0]), keyTile = queryTile + (uint)queryRows * stride, valueTile = keyTile + (uint)tileKeys * stride;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;

        var queries = TileSource.Of<TLayout>(query, start, length, head, sizes.Heads, queryTile, tileQueries, TOutput.Tiles, threads);
        TQuery fragments = TileSource.LoadFragments<TLayout, TQuery>(queries, firstQuery, 16 * (uint)warp);
        int keyHead = head / sizes.Group, keyCount = sizes.Past + length;
        var keys = TileSource.Of<TLayout>(key, start, keyCount, keyHead, sizes.KeyHeads, keyTile, tileKeys, TOutput.Tiles, threads);
        TileSource values = TileSource.Beside(keys, value, (uint)tileKeys * stride);
        LaneAddress keyRows = LaneAddress.OfRows<TLayout>(keyTile, stride, lane), valueColumns = LaneAddress.OfColumns<TLayout>(valueTile, stride, lane);

        // Positions count from the first key that the document has.
        int firstPosition = sizes.Past + firstQuery;
        int warpPosition = Ptx.Pin(firstPosition + 16 * warp), lanePosition = Ptx.Pin(warpPosition + (lane >> 2)), laneColumn = Ptx.Pin((lane & 3) * 2);
        int lastKey = Ptx.Pin(Math.Min(firstPosition + tileQueries, keyCount));
        int firstKey = KeyRange.First(firstPosition, sizes.Window) / tileKeys * tileKeys;
        float factor = sizes.ScaleLog2;
        var softmax = OnlineSoftmax.Create();
        TOutput result = default;
        TileCopy.End<TCopy, TLayout>(TileCopy.Begin<TCopy, TLayout>(keys, firstKey), keys);
        for (int tileKey = firstKey; tileKey < lastKey; tileKey += tileKeys)
        {
            Group.Barrier(); // keys are there, values are free
            TCopy nextValues = TileCopy.Begin<TCopy, TLayout>(values, tileKey);
            TScores scores = TQuery.MultiplyByRows<TScores, TCore, TLayout>(fragments, default, keyRows, stride, 0);
            TileCopy.End<TCopy, TLayout>(nextValues, values);
            Group.Barrier(); // values are there, keys are free
            bool more = tileKey + tileKeys < lastKey;
            TCopy nextKeys = default;
            if (more)
            {
                nextKeys = TileCopy.Begin<TCopy, TLayout>(keys, tileKey + tileKeys);
            }

            if (KeyRange.NeedsMask(warpPosition, tileKey, tileKeys, sizes.Window))
            {
                scores = TScores.Map(scores, KeyRange.Mask(lanePosition - sizes.Window + 1 - tileKey - laneColumn, sizes.Window, float.NegativeInfinity), 0);
            }

            RowPair maximum = RowPair.QuadMax(TScores.Fold(scores, new RowMaximum { Value = softmax.Maximum }, 0).Value);
            RowPair offset = OnlineSoftmax.Offset(maximum, factor);
            RowPair shrink = OnlineSoftmax.Shrink(softmax.Maximum, offset, factor);
            scores = TScores.Map(scores, new RowExp2 { Factor = factor, Offset = offset }, 0);
            softmax.Maximum = maximum;
            softmax.Sum = TScores.Fold(scores, new RowSum { Value = RowPair.Create(softmax.Sum.Low * shrink.Low, softmax.Sum.High * shrink.High) }, 0).Value;
            result = TOutput.Map(result, new RowScale { Factor = shrink }, 0);
            result = TScores.MultiplyInto<TOutput, TCore, TLayout>(scores, result, valueColumns, stride);
            if (more)
            {
                TileCopy.End<TCopy, TLayout>(nextKeys, keys);
            }
        }

        RowPair sum = RowPair.QuadSum(softmax.Sum);
        result = TOutput.Map(result, new RowScale { Factor = RowPair.Create(Ptx.Reciprocal(sum.Low), Ptx.Reciprocal(sum.High)) }, 0);
        if (logSumExp.Length > 0 & (lane & 3) == 0)
        {
            int row = firstQuery + 16 * warp + (lane >> 2), target = head * sizes.Tokens + start + row; // not pinned: it decides a branch
            if (row < length)
            {
                logSumExp[target] = AttentionSizes.Ln2 * (softmax.Maximum.Low * factor + Ptx.Log2(sum.Low));
            }

            if (row + 8 < length)
            {
                logSumExp[target + 8] = AttentionSizes.Ln2 * (softmax.Maximum.High * factor + Ptx.Log2(sum.High));
            }
        }

        Group.Barrier(); // the tiles are free
        int tokenStride = sizes.Heads * 2 * TOutput.Tiles;
        var stored = new OutputTile
        {
            First = start * tokenStride + head * 2 * TOutput.Tiles,
            Stride = tokenStride,
            FirstRow = firstQuery + 16 * warp,
            Rows = length,
            Tile = queryTile + (uint)(16 * warp) * stride,
            TileStride = stride,
        };
        OutputTile.Store<TCore, TLayout, TOutput>(stored, result, output);
    }
}
