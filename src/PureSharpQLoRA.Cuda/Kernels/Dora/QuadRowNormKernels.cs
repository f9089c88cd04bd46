using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda.Kernels.Dora;

/// <summary>
/// Norms of the rows of W + s B·A where rows are whole quads. A warp takes eight rows, a lane four columns of them at a time: for each row of A one load
/// of 16 bytes and two broadcasts from shared memory serve 32 multiply-adds. The block's warps walk over the same columns together, so that what they
/// read of A mostly comes from the L1 cache. W is read once. Grid: ceil(outputs / 32).
/// </summary>
internal static class QuadRowNormKernels
{
    public const int Threads = 128;

    /// <summary>Rows of a block.</summary>
    public const int Rows = WarpRows * Warps;

    /// <summary>Factors of so many rows of A lie in shared memory, 8 KB a block.</summary>
    public const int MaximumRank = 64;

    private const int WarpRows = 8;
    private const int Warps = Threads / 32;
    private const int RowChunks = WarpRows / 4;
    private const int ChunkBytes = 16;
    private const int LevelChunks = 4;

    /// <summary>norms[n] = ||W[n, :] + scale * (B·A)[n, :]||.</summary>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="maxima">The maxima of NF4's blocks; empty for dense weights.</param>
    /// <param name="a">[rank, inputs].</param>
    /// <param name="b">[outputs, rank].</param>
    /// <param name="norms">[outputs].</param>
    /// <param name="outputs">Rows of the weight.</param>
    /// <param name="rowQuads">Columns of the weight over four.</param>
    /// <param name="rank">Rows of A, at most <see cref="MaximumRank"/>.</param>
    /// <param name="scale">Factor of the adapter.</param>
    public static void Run<TStorage, TReader>(
        ArrayView<TStorage> weight, ArrayView<float> maxima, ArrayView<float> a, ArrayView<float> b, ArrayView<float> norms,
        int outputs, int rowQuads, int rank, float scale)
        where TStorage : unmanaged
        where TReader : struct, IQuadReader<TStorage>
    {
        uint levels = Ptx.SharedAddress(ref SharedMemory.Allocate<U4>(LevelChunks)[0]);
        uint factors = Ptx.SharedAddress(ref SharedMemory.Allocate<U4>(Warps * MaximumRank * RowChunks)[0]);
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5, firstRow = (Grid.IdxX * Warps + warp) * WarpRows, last = outputs - 1;
        TReader.Prepare(levels);
        // [k, r] of the warp: scale * B[firstRow + r, k]. Rows past the last stand for the last one, so that nothing has to branch.
        factors += (uint)(warp * MaximumRank * RowChunks * ChunkBytes);
        for (int i = lane; i < rank * WarpRows; i += 32)
        {
            int k = i >> 3, row = firstRow + (i & 7);
            Ptx.StoreShared(factors + 4 * (uint)i, b[(row < last ? row : last) * rank + k] * scale);
        }

        Group.Barrier();
        int row0 = Start(firstRow, 0, last, rowQuads), row1 = Start(firstRow, 1, last, rowQuads), row2 = Start(firstRow, 2, last, rowQuads);
        int row3 = Start(firstRow, 3, last, rowQuads), row4 = Start(firstRow, 4, last, rowQuads), row5 = Start(firstRow, 5, last, rowQuads);
        int row6 = Start(firstRow, 6, last, rowQuads), row7 = Start(firstRow, 7, last, rowQuads);
        F4 low = default, high = default;
        for (int quad = lane; quad < rowQuads; quad += 32)
        {
            EightRows update = Update(a, factors, quad, rowQuads, rank);
            low = new()
            {
                X = low.X + SquareOfSum(update.R0, TReader.Read(weight, maxima, levels, row0 + quad)),
                Y = low.Y + SquareOfSum(update.R1, TReader.Read(weight, maxima, levels, row1 + quad)),
                Z = low.Z + SquareOfSum(update.R2, TReader.Read(weight, maxima, levels, row2 + quad)),
                W = low.W + SquareOfSum(update.R3, TReader.Read(weight, maxima, levels, row3 + quad)),
            };
            high = new()
            {
                X = high.X + SquareOfSum(update.R4, TReader.Read(weight, maxima, levels, row4 + quad)),
                Y = high.Y + SquareOfSum(update.R5, TReader.Read(weight, maxima, levels, row5 + quad)),
                Z = high.Z + SquareOfSum(update.R6, TReader.Read(weight, maxima, levels, row6 + quad)),
                W = high.W + SquareOfSum(update.R7, TReader.Read(weight, maxima, levels, row7 + quad)),
            };
        }

        Write(norms, firstRow, last, lane, low);
        Write(norms, firstRow + 4, last, lane, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Start(int firstRow, int row, int last, int rowQuads) => (firstRow + row < last ? firstRow + row : last) * rowQuads;

    /// <summary>Four columns of eight rows of scale * B·A.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static EightRows Update(ArrayView<float> a, uint factors, int quad, int rowQuads, int rank)
    {
        EightRows sum = default;
        int at = 4 * quad;
        for (int k = 0; k < rank; k++)
        {
            F4 values = Ptx.LoadGlobal16(ref a[at]);
            U4 low = Ptx.LoadShared16(factors), high = Ptx.LoadShared16(factors + ChunkBytes);
            sum = new()
            {
                R0 = ScaleAdd(values, low.X, sum.R0),
                R1 = ScaleAdd(values, low.Y, sum.R1),
                R2 = ScaleAdd(values, low.Z, sum.R2),
                R3 = ScaleAdd(values, low.W, sum.R3),
                R4 = ScaleAdd(values, high.X, sum.R4),
                R5 = ScaleAdd(values, high.Y, sum.R5),
                R6 = ScaleAdd(values, high.Z, sum.R6),
                R7 = ScaleAdd(values, high.W, sum.R7),
            };
            at += 4 * rowQuads;
            factors += RowChunks * ChunkBytes;
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 ScaleAdd(F4 x, uint factor, F4 y)
    {
        float f = Interop.IntAsFloat(factor);
        return new() { X = x.X * f + y.X, Y = x.Y * f + y.Y, Z = x.Z * f + y.Z, W = x.W * f + y.W };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SquareOfSum(F4 x, F4 y)
    {
        float a = x.X + y.X, b = x.Y + y.Y, c = x.Z + y.Z, d = x.W + y.W;
        return a * a + b * b + c * c + d * d;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(ArrayView<float> norms, int row, int last, int lane, F4 sums)
    {
        float x = BlockReduction.WarpSum(sums.X), y = BlockReduction.WarpSum(sums.Y), z = BlockReduction.WarpSum(sums.Z), w = BlockReduction.WarpSum(sums.W);
        float sum = lane == 0 ? x : lane == 1 ? y : lane == 2 ? z : w;
        if (lane < 4 && row + lane <= last)
        {
            norms[row + lane] = Ptx.SquareRoot(sum);
        }
    }

    private struct EightRows
    {
        public F4 R0, R1, R2, R3, R4, R5, R6, R7;
    }
}
