using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using static PureSharpQLoRA.Cuda.Kernels.Attention.General.BlockOperations;

namespace PureSharpQLoRA.Cuda.Kernels.Attention.General;

/// <summary>
/// Attention in fp32 arithmetic for any head size, element type and alignment, on any card. A block of 64 threads owns 32 queries (or keys) of one
/// head and walks over the other side in tiles of 32; every product is one of 32x32 blocks in shared memory, 16 multiply-adds for two
/// 128-bit shared loads. Results are cut into parts of at most <see cref="PartColumns"/> columns, each with blocks of its own that compute the scores again.
/// </summary>
internal static class GeneralAttention
{
    /// <summary>Columns that the sums in registers may have.</summary>
    public const int PartColumns = 128;

    /// <summary>Threads of a block of <see cref="Delta"/>, and the rows that it sums.</summary>
    public const int DeltaThreads = 128, DeltaRows = DeltaThreads / 8;

    /// <summary>Below any logit, yet finite.</summary>
    private const float NoKey = -1e30f;

    /// <summary>
    /// output = softmax(scale · query · keyᵀ) · value with an online softmax. Grid (tiles of 32 queries, heads, parts), 64 threads.
    /// </summary>
    /// <param name="query">[tokens, heads * size].</param>
    /// <param name="key">[past + tokens or more, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="output">As the queries.</param>
    /// <param name="logSumExp">[heads, tokens], or empty if not wanted.</param>
    /// <param name="tiles">See <see cref="TileList"/>.</param>
    /// <param name="sizes">The sizes.</param>
    public static void Forward<TElement, TOutput>(
        ArrayView<TElement> query, ArrayView<TElement> key, ArrayView<TElement> value, ArrayView<TElement> output, ArrayView<float> logSumExp,
        ArrayView<int> tiles, AttentionSizes sizes)
        where TElement : unmanaged, IElement<TElement>
        where TOutput : struct, IBlockRow<TOutput>
    {
        int tile = TileList.Stride * Grid.IdxX, head = Grid.IdxY, firstColumn = PartColumns * Grid.IdxZ;
        int start = tiles[tile], length = tiles[tile + 1], firstQuery = tiles[tile + 2], firstPosition = sizes.Past + firstQuery;
        var memory = SharedMemory.Allocate<U4>(3 * SharedBlock.Chunks);
        uint left = Ptx.SharedAddress(ref memory[0]), right = left + SharedBlock.Bytes, weights = right + SharedBlock.Bytes;
        int keyHead = head / sizes.Group, keyCount = sizes.Past + length;
        var queries = HeadRows<TElement>.Of(query, start, length, head, sizes.Heads, sizes.HeadSize);
        var keys = HeadRows<TElement>.Of(key, start, keyCount, keyHead, sizes.KeyHeads, sizes.HeadSize);
        var values = HeadRows<TElement>.Of(value, start, keyCount, keyHead, sizes.KeyHeads, sizes.HeadSize);
        bool isWanted = firstQuery + Block.FirstWarpRow < length;
        int distance = firstPosition + Block.FirstRow - Block.FirstColumn;
        int lastKey = Math.Min(firstPosition + Block.Size, keyCount), firstKey = FirstKey(firstPosition, sizes.Window);

        F4 maximum = All(float.NegativeInfinity), sum = All(0);
        TOutput result = default;
        for (int tileKey = firstKey; tileKey < lastKey; tileKey += Block.Size)
        {
            Block scores = SharedBlock.ProductOfRows(queries, firstQuery, keys, tileKey, isWanted, left, right);
            scores = Logits(scores, sizes.ScaleLog2, distance - tileKey, sizes.Window);
            F4 highest = MaximumOverThreads(Max(maximum, RowMaximum(scores)));
            // Finite for a row that has seen no key yet: its powers are then 0.
            F4 offset = Max(highest, All(NoKey)), shrink = Exp2OfDifference(maximum, offset);
            scores = Exp2Rows(scores, offset);
            maximum = highest;
            sum = Add(Multiply(sum, shrink), RowSum(scores));
            result = TOutput.Scale(result, shrink);
            SharedBlock.StoreColumns(scores, weights);
            result = TOutput.MultiplyAdd(result, weights, values, tileKey, Math.Min(Block.Size, lastKey - tileKey), firstColumn, isWanted, right);
        }

        F4 total = SumOverThreads(sum);
        F4 inverse = new() { X = Ptx.Divide(1, total.X), Y = Ptx.Divide(1, total.Y), Z = Ptx.Divide(1, total.Z), W = Ptx.Divide(1, total.W) };
        TOutput.Store(TOutput.Scale(result, inverse), HeadRows<TElement>.Of(output, start, length, head, sizes.Heads, sizes.HeadSize), firstQuery, firstColumn);
        if (logSumExp.Length > 0 & Grid.IdxZ == 0 & Block.FirstColumn == 0)
        {
            int row = firstQuery + Block.FirstRow, place = head * sizes.Tokens + start + row;
            StoreSum(logSumExp, place, row < length, maximum.X, total.X);
            StoreSum(logSumExp, place + 1, row + 1 < length, maximum.Y, total.Y);
            StoreSum(logSumExp, place + 2, row + 2 < length, maximum.Z, total.Z);
            StoreSum(logSumExp, place + 3, row + 3 < length, maximum.W, total.W);
        }
    }

    /// <summary>
    /// delta[head, token] = Σ dOutput · output, the row term of the softmax gradient. Eight lanes a row; grid ceil(tokens * heads / 16), 128 threads.
    /// </summary>
    public static void Delta<TElement>(ArrayView<TElement> output, ArrayView<TElement> dOutput, ArrayView<float> delta, AttentionSizes sizes)
        where TElement : unmanaged, IElement<TElement>
    {
        int lane = Group.IdxX & 7, row = Grid.IdxX * DeltaRows + (Group.IdxX >> 3);
        bool inside = row < sizes.Tokens * sizes.Heads;
        float sum = 0;
        if (inside)
        {
            int first = row * sizes.HeadSize;
            for (int i = lane; i < sizes.HeadSize; i += 8)
            {
                sum += TElement.ToFloat(output[first + i]) * TElement.ToFloat(dOutput[first + i]);
            }
        }

        sum += Ptx.ShuffleXor(sum, 4);
        sum += Ptx.ShuffleXor(sum, 2);
        sum += Ptx.ShuffleXor(sum, 1);
        if (inside & lane == 0)
        {
            uint token = (uint)row / (uint)sizes.Heads;
            delta[(row - (int)token * sizes.Heads) * sizes.Tokens + (int)token] = sum;
        }
    }

    /// <summary>
    /// dQuery = scale · Σ over keys of dS · key, dS = p (dOutput · value - delta). Grid (tiles of 32 queries, heads, parts), 64 threads.
    /// </summary>
    /// <param name="query">[tokens, heads * size].</param>
    /// <param name="key">[tokens, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="dOutput">As the queries.</param>
    /// <param name="logSumExp">From the forward pass [heads, tokens].</param>
    /// <param name="delta">From <see cref="Delta"/> [heads, tokens].</param>
    /// <param name="dQuery">The result, as the queries.</param>
    /// <param name="tiles">See <see cref="TileList"/>.</param>
    /// <param name="sizes">The sizes.</param>
    public static void BackwardQuery<TElement, TOutput>(
        ArrayView<TElement> query, ArrayView<TElement> key, ArrayView<TElement> value, ArrayView<TElement> dOutput, ArrayView<float> logSumExp,
        ArrayView<float> delta, ArrayView<TElement> dQuery, ArrayView<int> tiles, AttentionSizes sizes)
        where TElement : unmanaged, IElement<TElement>
        where TOutput : struct, IBlockRow<TOutput>
    {
        int tile = TileList.Stride * Grid.IdxX, head = Grid.IdxY, firstColumn = PartColumns * Grid.IdxZ;
        int start = tiles[tile], length = tiles[tile + 1], firstQuery = tiles[tile + 2];
        var memory = SharedMemory.Allocate<U4>(3 * SharedBlock.Chunks);
        uint left = Ptx.SharedAddress(ref memory[0]), right = left + SharedBlock.Bytes, weights = right + SharedBlock.Bytes;
        int keyHead = head / sizes.Group;
        var queries = HeadRows<TElement>.Of(query, start, length, head, sizes.Heads, sizes.HeadSize);
        var gradients = HeadRows<TElement>.Of(dOutput, start, length, head, sizes.Heads, sizes.HeadSize);
        var keys = HeadRows<TElement>.Of(key, start, length, keyHead, sizes.KeyHeads, sizes.HeadSize);
        var values = HeadRows<TElement>.Of(value, start, length, keyHead, sizes.KeyHeads, sizes.HeadSize);
        bool isWanted = firstQuery + Block.FirstWarpRow < length;
        int distance = firstQuery + Block.FirstRow - Block.FirstColumn;
        int lastKey = Math.Min(firstQuery + Block.Size, length), firstKey = FirstKey(firstQuery, sizes.Window);
        int statistics = head * sizes.Tokens + start, lastRow = length - 1, row = firstQuery + Block.FirstRow;
        F4 offsets = Multiply(Four(logSumExp, statistics, row, lastRow, 0), All(AttentionSizes.Log2E));
        F4 deltas = Four(delta, statistics, row, lastRow, 0);

        TOutput result = default;
        for (int tileKey = firstKey; tileKey < lastKey; tileKey += Block.Size)
        {
            Block scores = SharedBlock.ProductOfRows(queries, firstQuery, keys, tileKey, isWanted, left, right);
            Block weightGradient = SharedBlock.ProductOfRows(gradients, firstQuery, values, tileKey, isWanted, left, right);
            scores = Exp2Rows(Logits(scores, sizes.ScaleLog2, distance - tileKey, sizes.Window), offsets);
            SharedBlock.StoreColumns(GradientRows(scores, weightGradient, deltas), weights);
            result = TOutput.MultiplyAdd(result, weights, keys, tileKey, Math.Min(Block.Size, lastKey - tileKey), firstColumn, isWanted, right);
        }

        var target = HeadRows<TElement>.Of(dQuery, start, length, head, sizes.Heads, sizes.HeadSize);
        TOutput.Store(TOutput.Scale(result, All(sizes.Scale)), target, firstQuery, firstColumn);
    }

    /// <summary>
    /// dValue = Σ pᵀ · dOutput and dKey = scale · Σ dSᵀ · query over the queries of all heads of the group, in one fixed order. Grid (tiles of 32 keys,
    /// key heads, parts), 64 threads.
    /// </summary>
    /// <param name="query">[tokens, heads * size].</param>
    /// <param name="key">[tokens, key heads * size].</param>
    /// <param name="value">As the keys.</param>
    /// <param name="dOutput">As the queries.</param>
    /// <param name="logSumExp">From the forward pass [heads, tokens].</param>
    /// <param name="delta">From <see cref="Delta"/> [heads, tokens].</param>
    /// <param name="dKey">A result, as the keys.</param>
    /// <param name="dValue">A result, as the keys.</param>
    /// <param name="tiles">See <see cref="TileList"/>.</param>
    /// <param name="sizes">The sizes.</param>
    public static void BackwardKeyValue<TElement, TOutput>(
        ArrayView<TElement> query, ArrayView<TElement> key, ArrayView<TElement> value, ArrayView<TElement> dOutput, ArrayView<float> logSumExp,
        ArrayView<float> delta, ArrayView<TElement> dKey, ArrayView<TElement> dValue, ArrayView<int> tiles, AttentionSizes sizes)
        where TElement : unmanaged, IElement<TElement>
        where TOutput : struct, IBlockRow<TOutput>
    {
        int tile = TileList.Stride * Grid.IdxX, keyHead = Grid.IdxY, firstColumn = PartColumns * Grid.IdxZ;
        int start = tiles[tile], length = tiles[tile + 1], firstKey = tiles[tile + 2];
        var memory = SharedMemory.Allocate<U4>(4 * SharedBlock.Chunks);
        uint left = Ptx.SharedAddress(ref memory[0]), right = left + SharedBlock.Bytes;
        uint weights = right + SharedBlock.Bytes, scoreGradients = weights + SharedBlock.Bytes;
        var keys = HeadRows<TElement>.Of(key, start, length, keyHead, sizes.KeyHeads, sizes.HeadSize);
        var values = HeadRows<TElement>.Of(value, start, length, keyHead, sizes.KeyHeads, sizes.HeadSize);
        bool isWanted = firstKey + Block.FirstWarpRow < length;
        int distance = Block.FirstColumn - firstKey - Block.FirstRow;
        int lastQuery = Math.Min(length, firstKey + Block.Size - 1 + sizes.Window);

        TOutput keySum = default, valueSum = default;
        for (int head = keyHead * sizes.Group; head < (keyHead + 1) * sizes.Group; head++)
        {
            var queries = HeadRows<TElement>.Of(query, start, length, head, sizes.Heads, sizes.HeadSize);
            var gradients = HeadRows<TElement>.Of(dOutput, start, length, head, sizes.Heads, sizes.HeadSize);
            int statistics = head * sizes.Tokens + start;
            // The first tile of queries begins where the keys do.
            for (int tileQuery = firstKey; tileQuery < lastQuery; tileQuery += Block.Size)
            {
                Block scores = SharedBlock.ProductOfRows(keys, firstKey, queries, tileQuery, isWanted, left, right);
                Block weightGradient = SharedBlock.ProductOfRows(values, firstKey, gradients, tileQuery, isWanted, left, right);
                int column = tileQuery + Block.FirstColumn, steps = Math.Min(Block.Size, lastQuery - tileQuery);
                F4 offsets = Multiply(Four(logSumExp, statistics, column, length - 1, float.PositiveInfinity), All(AttentionSizes.Log2E));
                F4 deltas = Four(delta, statistics, column, length - 1, 0);
                scores = Exp2Columns(LogitsOfKeys(scores, sizes.ScaleLog2, distance + tileQuery, sizes.Window), offsets);
                SharedBlock.StoreColumns(scores, weights);
                SharedBlock.StoreColumns(GradientColumns(scores, weightGradient, deltas), scoreGradients);
                valueSum = TOutput.MultiplyAdd(valueSum, weights, gradients, tileQuery, steps, firstColumn, isWanted, right);
                keySum = TOutput.MultiplyAdd(keySum, scoreGradients, queries, tileQuery, steps, firstColumn, isWanted, right);
            }
        }

        var keyTarget = HeadRows<TElement>.Of(dKey, start, length, keyHead, sizes.KeyHeads, sizes.HeadSize);
        var valueTarget = HeadRows<TElement>.Of(dValue, start, length, keyHead, sizes.KeyHeads, sizes.HeadSize);
        TOutput.Store(TOutput.Scale(keySum, All(sizes.Scale)), keyTarget, firstKey, firstColumn);
        TOutput.Store(valueSum, valueTarget, firstKey, firstColumn);
    }

    /// <summary>The first tile of keys that a tile of queries sees.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstKey(int firstPosition, int window) => Math.Max(0, firstPosition - window + 1) / Block.Size * Block.Size;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreSum(ArrayView<float> logSumExp, int place, bool exists, float maximum, float sum)
    {
        float value = AttentionSizes.Ln2 * (maximum + Ptx.Log2(sum));
        if (exists)
        {
            logSumExp[place] = value;
        }
    }

    /// <summary>Neighbouring values; those past the end are <paramref name="beyond"/>: with an infinite offset a query has no weight.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Four(ArrayView<float> data, int first, int row, int lastRow, float beyond) => new()
    {
        X = One(data, first, row, lastRow, beyond),
        Y = One(data, first, row + 1, lastRow, beyond),
        Z = One(data, first, row + 2, lastRow, beyond),
        W = One(data, first, row + 3, lastRow, beyond),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float One(ArrayView<float> data, int first, int row, int lastRow, float beyond)
    {
        float value = data[first + Math.Min(row, lastRow)];
        return row <= lastRow ? value : beyond;
    }
}
