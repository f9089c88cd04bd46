using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// Absolute maxima as the products want them: fp16 of absmax * 2^e, transposed to [inputs / 64, outputs rounded up to 8]. One exponent per weight
/// brings its largest block to [2^14, 2^15), so that blocks down to 2^-28 of it stay normal halves even times the smallest level.
/// </summary>
internal static class Nf4ScaleKernels
{
    public const int Threads = 256, ExponentThreads = 512, TileSide = 32;

    private const int TileRows = Threads / TileSide;

    /// <summary>exponents = 2^e, 2^-e. One block.</summary>
    public static void Exponent(ArrayView<uint> maxima, ArrayView<float> exponents, int count)
    {
        ArrayView<uint> partial = SharedMemory.Allocate<uint>(ExponentThreads);
        int thread = Group.IdxX;
        uint largest = 0;
        for (int i = thread; i < count; i += ExponentThreads)
        {
            largest = IntrinsicMath.Max(largest, maxima[i] & 0x7FFFFFFF);
        }

        partial[thread] = largest;
        for (int half = ExponentThreads / 2; half > 0; half >>= 1)
        {
            Group.Barrier();
            if (thread < half)
            {
                partial[thread] = IntrinsicMath.Max(partial[thread], partial[thread + half]);
            }
        }

        if (thread == 0)
        {
            // The bounds keep both powers, and the second term of a product in units of 2^-e, finite: an all-zero weight takes the lower one.
            uint exponent = IntrinsicMath.Clamp(partial[0] >> 23, 67u, 253u);
            exponents[0] = Interop.IntAsFloat(268 - exponent << 23);
            exponents[1] = Interop.IntAsFloat(exponent - 14 << 23);
        }
    }

    /// <summary>
    /// prepared[block, row] = absmax[row, block] * 2^e; zero in rows past the end. Grid: (blocks of a row / 32, stride / 32), rounded up.
    /// </summary>
    public static void Prepare(ArrayView<float> maxima, ArrayView<float> exponents, ArrayView<ushort> prepared, int rows, int rowBlocks, int stride)
    {
        ArrayView<float> tile = SharedMemory.Allocate<float>(TileSide * (TileSide + 1));
        int x = Group.IdxX % TileSide, y = Group.IdxX / TileSide, firstBlock = Grid.IdxX * TileSide, firstRow = Grid.IdxY * TileSide;
        float factor = exponents[0];
        for (int i = y; i < TileSide; i += TileRows)
        {
            int row = firstRow + i, block = firstBlock + x;
            float value = 0;
            if (row < rows && block < rowBlocks)
            {
                value = maxima[row * rowBlocks + block] * factor;
            }

            tile[i * (TileSide + 1) + x] = value;
        }

        Group.Barrier();
        for (int i = y; i < TileSide; i += TileRows)
        {
            int row = firstRow + x, block = firstBlock + i;
            if (row < stride && block < rowBlocks)
            {
                prepared[block * stride + row] = HalfElement.FromFloat(tile[x * (TileSide + 1) + i]).Bits;
            }
        }
    }

    /// <summary>Back to fp32 [rows, blocks of a row], for operations that take any weight. Grid: ceil(rows * blocks of a row / 256).</summary>
    public static void Restore(ArrayView<ushort> prepared, ArrayView<float> exponents, ArrayView<float> maxima, int count, int rowBlocks, int stride)
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < count)
        {
            maxima[i] = Ptx.HalfToFloat(prepared[i % rowBlocks * stride + i / rowBlocks]) * exponents[1];
        }
    }
}
