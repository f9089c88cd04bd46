using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// result (+)= scale * activations·W (or ·Wᵀ) + low·factor, W in NF4, on tensor cores. The weight is the A operand: it is decoded in registers,
/// straight from global memory, and activations are B, two registers side by side in one 128-bit read of shared memory, whose chunks lie swizzled
/// (chunk ^ (row &amp; 1)) instead of padded. A block owns <typeparamref name="TShape"/>'s tile and takes steps of 64 of the reduction.
/// Grid: (columns / 256, rows / rows of the tile), rounded up.
/// </summary>
/// <typeparam name="TShape">Its tile.</typeparam>
/// <typeparam name="THalf">Half of a warp's rows: four or two tiles of eight.</typeparam>
/// <typeparam name="TSide">Forwards or backwards.</typeparam>
internal static class Nf4Product<TShape, THalf, TSide>
    where TShape : struct, ITileShape
    where THalf : struct, ISums<THalf>
    where TSide : struct, INf4Side<TSide>
{
    /// <summary>Activations come through registers, two buffers: for cards without copies in the background.</summary>
    /// <param name="activations">[rows, reduction], 16-bit.</param>
    /// <param name="codes">The weight's codes.</param>
    /// <param name="scales">The weight's prepared scales, absmax * 2^e.</param>
    /// <param name="exponents">2^e and 2^-e.</param>
    /// <param name="output">[rows, columns].</param>
    /// <param name="low">[rows, rank rounded up to 8], 16-bit, with zeros behind each row.</param>
    /// <param name="factor">[columns, rank rounded up to 8] forwards, with zeros behind each row; [rank, columns] backwards, 16-bit.</param>
    /// <param name="rows">Tokens.</param>
    /// <param name="columns">Columns of the result.</param>
    /// <param name="reduction">Columns of the activations.</param>
    /// <param name="rank">0 for no second term.</param>
    /// <param name="scale">Factor on the main term.</param>
    /// <param name="inverseScale">1 / scale.</param>
    /// <param name="accumulate">Not 0: adds to what is in the output.</param>
    public static void Staged<TCore, TOutput>(
        ArrayView<U4> activations, ArrayView<uint> codes, ArrayView<U4> scales, ArrayView<float> exponents, TOutput output, ArrayView<U2> low, ArrayView<U2> factor,
        int rows, int columns, int reduction, int rank, float scale, float inverseScale, int accumulate)
        where TCore : struct, INf4Core
        where TOutput : struct, IOutput<TOutput>
    {
        ArrayView<U4> tile = SharedMemory.Allocate<U4>(2 * 128 * TShape.WarpRows * TShape.Passes);
        uint shared = Ptx.SharedAddress(ref tile[0]);
        Nf4Table table = Nf4Table.Load(shared);
        Lane lane = Lane.Here<TShape>();
        TSide side = TSide.Start(codes, scales, lane.FirstColumn, columns, reduction, lane.G, lane.T);
        Stacked<THalf, THalf> sums = LowRank<TCore>(side, low, factor, lane, rows, rank, exponents[0] * inverseScale);

        int steps = reduction + 63 >> 6, row = lane.FirstRow + lane.LoadRow;
        uint store = shared + lane.Store, read = 0;
        Ptx.StoreShared(store, TSide.Load(activations, row, rows, 0, lane.LoadChunk, reduction));
        Ptx.StoreShared(store + Pass, TSide.Load(activations, row + PassRows, rows, 0, lane.LoadChunk, reduction));
        if (TShape.Passes > 2)
        {
            Ptx.StoreShared(store + 2 * Pass, TSide.Load(activations, row + 2 * PassRows, rows, 0, lane.LoadChunk, reduction));
            Ptx.StoreShared(store + 3 * Pass, TSide.Load(activations, row + 3 * PassRows, rows, 0, lane.LoadChunk, reduction));
        }

        Group.Barrier();
        for (int step = 0; step < steps; step++)
        {
            int next = step + 1;
            uint write = store + Buffer - read, x0 = shared + lane.Fragment0 + read, x1 = shared + lane.Fragment1 + read;

            // A quarter of the next tile is in registers at a time.
            Phase weights = TSide.DecodeFirst<TCore>(side, table);
            side = TSide.LoadSecond(side, step);
            U4 stage = TSide.Load(activations, row, rows, next, lane.LoadChunk, reduction);
            sums.First = THalf.Multiply<TCore>(sums.First, weights, x0);
            Ptx.StoreShared(write, stage);
            if (TShape.Passes > 2)
            {
                stage = TSide.Load(activations, row + 2 * PassRows, rows, next, lane.LoadChunk, reduction);
            }

            sums.Rest = THalf.Multiply<TCore>(sums.Rest, weights, x0 + Half);
            if (TShape.Passes > 2)
            {
                Ptx.StoreShared(write + 2 * Pass, stage);
            }

            weights = TSide.DecodeSecond<TCore>(side, table);
            side = TSide.LoadFirst(side, IntrinsicMath.Min(next, steps - 1));
            stage = TSide.Load(activations, row + PassRows, rows, next, lane.LoadChunk, reduction);
            sums.First = THalf.Multiply<TCore>(sums.First, weights, x1);
            Ptx.StoreShared(write + Pass, stage);
            if (TShape.Passes > 2)
            {
                stage = TSide.Load(activations, row + 3 * PassRows, rows, next, lane.LoadChunk, reduction);
            }

            sums.Rest = THalf.Multiply<TCore>(sums.Rest, weights, x1 + Half);
            if (TShape.Passes > 2)
            {
                Ptx.StoreShared(write + 3 * Pass, stage);
            }

            Group.Barrier();
            read = Buffer - read;
        }

        Stacked<THalf, THalf>.Store(
            sums, output, lane.FirstRow + lane.WarpRow + 2 * lane.T, lane.FirstColumn + 8 * lane.G, rows, columns, exponents[1] * scale, accumulate);
    }

    /// <summary>Activations are copied in the background, three buffers: from sm_80 on; rows of activations at multiples of 16 bytes.</summary>
    /// <inheritdoc cref="Staged"/>
    public static void Copied<TCore, TOutput>(
        ArrayView<U4> activations, ArrayView<uint> codes, ArrayView<U4> scales, ArrayView<float> exponents, TOutput output, ArrayView<U2> low, ArrayView<U2> factor,
        int rows, int columns, int reduction, int rank, float scale, float inverseScale, int accumulate)
        where TCore : struct, INf4Core
        where TOutput : struct, IOutput<TOutput>
    {
        ArrayView<U4> tile = SharedMemory.Allocate<U4>(3 * 128 * TShape.WarpRows * TShape.Passes);
        uint shared = Ptx.SharedAddress(ref tile[0]);
        Nf4Table table = Nf4Table.Load(shared);
        Lane lane = Lane.Here<TShape>();
        TSide side = TSide.Start(codes, scales, lane.FirstColumn, columns, reduction, lane.G, lane.T);
        Stacked<THalf, THalf> sums = LowRank<TCore>(side, low, factor, lane, rows, rank, exponents[0] * inverseScale);

        int steps = reduction + 63 >> 6, row = lane.FirstRow + lane.LoadRow;
        uint store = shared + lane.Store, read = 0, write = 2 * Buffer;
        Copy(store, activations, row, rows, 0, steps, lane.LoadChunk, reduction);
        Copy(store + Buffer, activations, row, rows, 1, steps, lane.LoadChunk, reduction);
        for (int step = 0; step < steps; step++)
        {
            Ptx.CopyAsyncWaitAllButOne();
            Group.Barrier();
            Copy(store + write, activations, row, rows, step + 2, steps, lane.LoadChunk, reduction);
            uint x0 = shared + lane.Fragment0 + read, x1 = shared + lane.Fragment1 + read;
            Phase weights = TSide.DecodeFirst<TCore>(side, table);
            side = TSide.LoadSecond(side, step);
            sums.First = THalf.Multiply<TCore>(sums.First, weights, x0);
            sums.Rest = THalf.Multiply<TCore>(sums.Rest, weights, x0 + Half);
            weights = TSide.DecodeSecond<TCore>(side, table);
            side = TSide.LoadFirst(side, IntrinsicMath.Min(step + 1, steps - 1));
            sums.First = THalf.Multiply<TCore>(sums.First, weights, x1);
            sums.Rest = THalf.Multiply<TCore>(sums.Rest, weights, x1 + Half);
            read = read == 2 * Buffer ? 0 : read + Buffer;
            write = write == 2 * Buffer ? 0 : write + Buffer;
        }

        Stacked<THalf, THalf>.Store(
            sums, output, lane.FirstRow + lane.WarpRow + 2 * lane.T, lane.FirstColumn + 8 * lane.G, rows, columns, exponents[1] * scale, accumulate);
    }

    /// <summary>Rows that all threads load in one pass.</summary>
    private static int PassRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 16 * TShape.WarpRows;
    }

    /// <summary>Bytes of a pass.</summary>
    private static uint Pass
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(2048 * TShape.WarpRows);
    }

    /// <summary>Bytes of one tile of activations.</summary>
    private static uint Buffer
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(2048 * TShape.WarpRows * TShape.Passes);
    }

    /// <summary>Bytes from the first to the last half of a warp's rows.</summary>
    private static uint Half
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (uint)(1024 * THalf.Tiles);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy(uint target, ArrayView<U4> activations, int row, int rows, int step, int steps, int chunk, int reduction)
    {
        if (step < steps)
        {
            TSide.Copy(target, activations, row, rows, step, chunk, reduction);
            TSide.Copy(target + Pass, activations, row + PassRows, rows, step, chunk, reduction);
            if (TShape.Passes > 2)
            {
                TSide.Copy(target + 2 * Pass, activations, row + 2 * PassRows, rows, step, chunk, reduction);
                TSide.Copy(target + 3 * Pass, activations, row + 3 * PassRows, rows, step, chunk, reduction);
            }
        }

        Ptx.CopyAsyncCommit();
    }

    /// <summary>What the sums begin with: the second term, in units of the main one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Stacked<THalf, THalf> LowRank<TCore>(TSide side, ArrayView<U2> low, ArrayView<U2> factor, Lane lane, int rows, int rank, float scale)
        where TCore : struct, INf4Core
    {
        Stacked<THalf, THalf> sums = default;
        int row = lane.FirstRow + lane.WarpRow + lane.G, quads = (rank + 7 & -8) >> 2;
        for (int k = 0; k < quads; k += 4)
        {
            int quad = k + lane.T, exists = Masks.Less(quad, quads);
            Fragments weights = TSide.Factor(side, factor, quad, quads, rank);
            sums = Stacked<THalf, THalf>.MultiplyLow<TCore>(sums, weights, low, row, rows - 1, quads, quad, exists);
        }

        return Stacked<THalf, THalf>.Scale(sums, scale);
    }
}

/// <summary>What a thread works on in <see cref="Nf4Product{TShape, THalf, TSide}"/>.</summary>
internal struct Lane
{
    /// <summary>The lane's number / 4 and % 4, the block's first row, the warp's first row in the block, the warp's first column.</summary>
    public int G, T, FirstRow, WarpRow, FirstColumn;

    /// <summary>Which row of the tile, and which 16 bytes of it, the thread loads.</summary>
    public int LoadRow, LoadChunk;

    /// <summary>Where it stores them, and where it reads activations in the two phases of a step, in bytes of the tile.</summary>
    public uint Store, Fragment0, Fragment1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lane Here<TShape>()
        where TShape : struct, ITileShape
    {
        int thread = Group.IdxX, warp = thread >> 5, g = (thread & 31) >> 2, t = thread & 3, row = thread >> 3, chunk = thread & 7, warpRow = 0;
        if (TShape.WarpRows > 1)
        {
            warpRow = (warp >> 2) * 64;
        }

        int fragmentRow = (warpRow + g) * 8, odd = g & 1;
        return new()
        {
            G = g,
            T = t,
            FirstRow = Grid.IdxY * (16 * TShape.WarpRows * TShape.Passes),
            WarpRow = warpRow,
            FirstColumn = Grid.IdxX * 256 + (warp & 3) * 64,
            LoadRow = row,
            LoadChunk = chunk,
            Store = (uint)(16 * (row * 8 + (chunk ^ (row & 1)))),
            Fragment0 = (uint)(16 * (fragmentRow + ((2 * t) ^ odd))),
            Fragment1 = (uint)(16 * (fragmentRow + ((2 * t + 1) ^ odd))),
        };
    }
}
