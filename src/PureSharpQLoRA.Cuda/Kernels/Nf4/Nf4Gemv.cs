using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// y = scale * x·Wᵀ + low·factorᵀ for 1 to 8 tokens, bound by reading the codes once. A block owns 32 weight rows; its eight warps share the
/// reduction in blocks of 128. A lane reads 16 bytes of codes of four rows (rows 8 apart, four lanes side by side: whole sectors), and the tensor
/// core does all eight columns of x at the cost of one. Grid: ceil(columns / 32).
/// </summary>
internal static class Nf4Gemv
{
    public const int Threads = 256, RowsPerBlock = 32, MaximumTokens = 8;

    // Rows of 32 sums, padded so that neither the stores nor the loads conflict.
    private const int Warps = Threads / 32, SumStride = 36, SumsPerWarp = MaximumTokens * SumStride;

    /// <param name="x">[tokens, reduction], 16-bit.</param>
    /// <param name="codes">[columns, reduction] codes in chunks of 32.</param>
    /// <param name="scales">Prepared scales [reduction / 64, columns rounded up to 8].</param>
    /// <param name="exponents">2^e and 2^-e.</param>
    /// <param name="output">[tokens, columns].</param>
    /// <param name="low">[tokens, rank rounded up to 8], 16-bit, with zeros behind each row.</param>
    /// <param name="factor">[columns, rank rounded up to 8], likewise.</param>
    /// <param name="tokens">1 to 8.</param>
    /// <param name="columns">Outputs of the weight.</param>
    /// <param name="reduction">Its inputs, a multiple of 64.</param>
    /// <param name="rank">0 for no second term.</param>
    /// <param name="scale">Factor on the main term.</param>
    /// <param name="inverseScale">1 / scale.</param>
    /// <param name="accumulate">Not 0: adds to what is in the output.</param>
    public static void Run<TCore, TElement>(
        ArrayView<U4> x, ArrayView<U4> codes, ArrayView<ushort> scales, ArrayView<float> exponents, ArrayView<TElement> output, ArrayView<U2> low, ArrayView<U2> factor,
        int tokens, int columns, int reduction, int rank, float scale, float inverseScale, int accumulate)
        where TCore : struct, INf4Core
        where TElement : unmanaged, IElement<TElement>
    {
        ArrayView<U4> chunks = SharedMemory.Allocate<U4>(Warps * SumsPerWarp / 4);
        ArrayView<float> sums = chunks.Cast<float>();
        Nf4Table table = Nf4Table.Load(Ptx.SharedAddress(ref chunks[0]));
        int lane = Group.IdxX & 31, warp = Group.IdxX >> 5, g = lane >> 2, t = lane & 3;
        int firstColumn = Grid.IdxX * RowsPerBlock, last = columns - 1, rowChunks = reduction >> 5, lastBlock = (reduction >> 6) - 1, stride = columns + 7 & -8;
        int n0 = IntrinsicMath.Min(firstColumn + g, last), n1 = IntrinsicMath.Min(firstColumn + g + 8, last);
        int n2 = IntrinsicMath.Min(firstColumn + g + 16, last), n3 = IntrinsicMath.Min(firstColumn + g + 24, last);
        int token = IntrinsicMath.Min(g, tokens - 1), isToken = Masks.Less(g, tokens);
        F4 upper = default, lower = default;

        // The last warps have the least of the reduction: they begin with the second term.
        int quads = (rank + 7 & -8) >> 2;
        for (int k = 4 * (Warps - 1 - warp); k < quads; k += 4 * Warps)
        {
            int quad = k + t, exists = Masks.Less(quad, quads);
            U2 b = Ptx.LoadReadOnlyOrZero(ref low[token * quads + quad], exists & isToken);
            U2 a0 = Ptx.LoadReadOnlyOrZero(ref factor[n0 * quads + quad], exists), a1 = Ptx.LoadReadOnlyOrZero(ref factor[n1 * quads + quad], exists);
            U2 a2 = Ptx.LoadReadOnlyOrZero(ref factor[n2 * quads + quad], exists), a3 = Ptx.LoadReadOnlyOrZero(ref factor[n3 * quads + quad], exists);
            upper = TCore.Step(upper, new() { X = a0.X, Y = a1.X, Z = a0.Y, W = a1.Y }, b.X, b.Y);
            lower = TCore.Step(lower, new() { X = a2.X, Y = a3.X, Z = a2.Y, W = a3.Y }, b.X, b.Y);
        }

        upper = Scale(upper, exponents[0] * inverseScale);
        lower = Scale(lower, exponents[0] * inverseScale);
        for (int k = warp * 128; k < reduction; k += Warps * 128)
        {
            // Lanes past the end of the reduction multiply the last codes by zeros.
            int start = k + 32 * t, exists = isToken & Masks.Less(start, reduction), chunk = IntrinsicMath.Min(start >> 5, rowChunks - 1);
            int block = IntrinsicMath.Min(start >> 6, lastBlock) * stride;
            U4 c0 = Ptx.LoadReadOnly(ref codes[n0 * rowChunks + chunk]), c1 = Ptx.LoadReadOnly(ref codes[n1 * rowChunks + chunk]);
            U4 c2 = Ptx.LoadReadOnly(ref codes[n2 * rowChunks + chunk]), c3 = Ptx.LoadReadOnly(ref codes[n3 * rowChunks + chunk]);
            uint s0 = Pair(scales[block + n0]), s1 = Pair(scales[block + n1]), s2 = Pair(scales[block + n2]), s3 = Pair(scales[block + n3]);
            int at = (token * rowChunks + chunk) * 4;
            U4 x0 = Ptx.LoadReadOnlyOrZero(ref x[at], exists), x1 = Ptx.LoadReadOnlyOrZero(ref x[at + 1], exists);
            U4 x2 = Ptx.LoadReadOnlyOrZero(ref x[at + 2], exists), x3 = Ptx.LoadReadOnlyOrZero(ref x[at + 3], exists);
            upper = Word<TCore>(upper, table, c0.X, s0, c1.X, s1, x0);
            lower = Word<TCore>(lower, table, c2.X, s2, c3.X, s3, x0);
            upper = Word<TCore>(upper, table, c0.Y, s0, c1.Y, s1, x1);
            lower = Word<TCore>(lower, table, c2.Y, s2, c3.Y, s3, x1);
            upper = Word<TCore>(upper, table, c0.Z, s0, c1.Z, s1, x2);
            lower = Word<TCore>(lower, table, c2.Z, s2, c3.Z, s3, x2);
            upper = Word<TCore>(upper, table, c0.W, s0, c1.W, s1, x3);
            lower = Word<TCore>(lower, table, c2.W, s2, c3.W, s3, x3);
        }

        Keep(sums, warp, g, t, 0, upper);
        Keep(sums, warp, g, t, 16, lower);
        Group.Barrier();

        // Each thread has a token and a weight row: the warps' sums are added in a fixed order.
        int row = Group.IdxX >> 5, column = firstColumn + lane;
        if (row >= tokens || column >= columns)
        {
            return;
        }

        float sum = 0;
        for (int w = 0; w < Warps; w++)
        {
            sum += sums[w * SumsPerWarp + row * SumStride + lane];
        }

        int target = row * columns + column;
        float result = sum * (exponents[1] * scale);
        if (accumulate != 0)
        {
            result += TElement.ToFloat(output[target]);
        }

        output[target] = TElement.FromFloat(result);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pair(ushort scale) => scale * 0x10001u;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Scale(F4 c, float factor) => new() { X = c.X * factor, Y = c.Y * factor, Z = c.Z * factor, W = c.W * factor };

    /// <summary>Eight codes of two weight rows against eight elements of x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Word<TCore>(F4 sum, Nf4Table table, uint first, uint firstScale, uint second, uint secondScale, U4 x)
        where TCore : struct, INf4Core
    {
        U4 a = TCore.Weights(table, first, firstScale), b = TCore.Weights(table, second, secondScale);
        F4 half = TCore.Step(sum, new() { X = a.X, Y = b.X, Z = a.Y, W = b.Y }, x.X, x.Y);
        return TCore.Step(half, new() { X = a.Z, Y = b.Z, Z = a.W, W = b.W }, x.Z, x.W);
    }

    /// <summary>Stores a warp's 16 x 8 sums as [token][weight row] of the block's 8 x 32.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep(ArrayView<float> sums, int warp, int g, int t, int row, F4 c)
    {
        int at = warp * SumsPerWarp + 2 * SumStride * t + row + g;
        sums[at] = c.X;
        sums[at + SumStride] = c.Y;
        sums[at + 8] = c.Z;
        sums[at + SumStride + 8] = c.W;
    }
}
