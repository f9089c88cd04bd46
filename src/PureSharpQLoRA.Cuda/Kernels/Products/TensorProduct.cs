using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>The sizes of a product on tensor cores, and what is done with it.</summary>
internal struct TensorSizes
{
    /// <summary>Of the result.</summary>
    public int Rows, Columns;

    /// <summary>Lines that the left and right operands have: as many as the result, or up to seven more.</summary>
    public int LeftLines, RightLines;

    /// <summary>16-byte chunks from row to row of the operands.</summary>
    public int LeftStride, RightStride, LowStride, FactorStride;

    /// <summary>Where the operands' reductions end; one of a pair may be rounded up to a multiple of 8, where its operand has zeros.</summary>
    public int LeftEnd, RightEnd, LowEnd, FactorEnd;

    /// <summary>Steps of the main reduction that one layer of the grid takes: a multiple of 32.</summary>
    public int StepsPerLayer;

    /// <summary>Flags: not 0 for yes.</summary>
    public int HasRowScales, Accumulate, Aligned;

    /// <summary>Factor on the product.</summary>
    public float Scale;
}

/// <summary>
/// y (+)= scale * rowScale * (left·right + low·factor) on tensor cores, with fp32 accumulators: 128 threads, four warps, each with a part of the block's
/// tile of TLeft.Lines x TRight.Lines; 32 steps of the reduction a tile, the next tiles on their way meanwhile. One barrier and, for 128x128,
/// 16 ldmatrix for 64 m16n8k16 a warp and tile.
/// Grid: (rows / TLeft.Lines, columns / TRight.Lines, layers), rounded up; each layer takes a range of the reduction and writes a result of its own.
/// </summary>
internal static class TensorProduct<TLeft, TRight, TWarp, TPipeline, TCore>
    where TLeft : struct, ITensorOperand
    where TRight : struct, ITensorOperand
    where TWarp : struct, IWarpTile<TWarp>
    where TPipeline : struct, ITensorPipeline<TPipeline>
    where TCore : struct, ITensorCore
{
    public static void Multiply<TResult, TFour>(
        ArrayView<U4> left, ArrayView<U4> right, ArrayView<U4> low, ArrayView<U4> factor, ArrayView<float> rowScales, ArrayView<TResult> y, TensorSizes sizes)
        where TResult : unmanaged, IElement<TResult>
        where TFour : struct, IFourElements<TResult>
    {
        ArrayView<U4> memory = SharedMemory.Allocate<U4>(TPipeline.Stages * 4 * (TLeft.Lines + TRight.Lines));
        int thread = Group.IdxX, warp = thread >> 5, lane = thread & 31;
        int firstRow = Grid.IdxX * TLeft.Lines, firstColumn = Grid.IdxY * TRight.Lines;
        int warpRow = warp / (TRight.Lines / TWarp.Columns) * TWarp.Rows, warpColumn = warp % (TRight.Lines / TWarp.Columns) * TWarp.Columns;
        TileFeed feed = Feed(left, right, low, factor, sizes);
        feed.LeftPlace = TLeft.Copy(thread, firstRow, sizes.LeftLines);
        feed.RightPlace = TRight.Copy(thread, firstColumn, sizes.RightLines);
        feed.Memory = Ptx.SharedAddress(ref memory[0]);
        feed.LeftBytes = 64 * (uint)TLeft.Lines;
        feed.StageBytes = 64 * (uint)(TLeft.Lines + TRight.Lines);
        LanePlace leftLane = TLeft.LeftLane(lane, warpRow), rightLane = TRight.RightLane(lane, warpColumn);

        TWarp c = default;
        TPipeline pipeline = TPipeline.Begin<TLeft, TRight>(feed);
        uint stage = feed.Memory, free = stage + (uint)(TPipeline.Stages - 1) * feed.StageBytes, last = free;
        for (int tile = 0; tile < feed.Tiles; tile++)
        {
            TPipeline.Arrive();
            Group.Barrier();
            pipeline = TPipeline.Advance<TLeft, TRight>(pipeline, feed, tile, free);
            c = TWarp.MultiplyAdd<TCore, TLeft, TRight>(c, leftLane, stage, rightLane, stage + feed.LeftBytes, 0);
            c = TWarp.MultiplyAdd<TCore, TLeft, TRight>(c, leftLane, stage, rightLane, stage + feed.LeftBytes, 1);
            free = stage;
            stage = stage == last ? feed.Memory : stage + feed.StageBytes;
        }

        long layer = (long)sizes.Rows * sizes.Columns;
        var writer = new ResultWriter<TResult, TFour>
        {
            Result = y.SubView(Grid.IdxZ * layer, layer),
            RowScales = rowScales,
            Rows = sizes.Rows,
            Columns = sizes.Columns,
            HasRowScales = sizes.HasRowScales,
            Accumulate = sizes.Accumulate,
            Aligned = sizes.Aligned,
            Scale = sizes.Scale,
        };
        TWarp.ForEach(c, writer, firstRow + warpRow, firstColumn + warpColumn);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TileFeed Feed(ArrayView<U4> left, ArrayView<U4> right, ArrayView<U4> low, ArrayView<U4> factor, TensorSizes sizes)
    {
        int first = Grid.IdxZ * sizes.StepsPerLayer, end = IntrinsicMath.Min(first + sizes.StepsPerLayer, sizes.LeftEnd);
        int mainTiles = end - first + 31 >> 5;
        return new()
        {
            Left = new() { Data = left, Stride = sizes.LeftStride, End = end },
            Right = new() { Data = right, Stride = sizes.RightStride, End = IntrinsicMath.Min(end, sizes.RightEnd) },
            Low = new() { Data = low, Stride = sizes.LowStride, End = sizes.LowEnd },
            Factor = new() { Data = factor, Stride = sizes.FactorStride, End = sizes.FactorEnd },
            First = first,
            MainTiles = mainTiles,
            Tiles = mainTiles + (sizes.LowEnd + 31 >> 5),
        };
    }
}
