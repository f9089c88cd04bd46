using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>Turns blocks of query rows into lanes.</summary>
internal static unsafe class BlockTranspose
{
    /// <summary>to[j * toStride + i] = factor * from[i * fromStride + j] for rows x columns elements, both multiples of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(float* from, nint fromStride, int rows, int columns, float factor, float* to, nint toStride)
    {
        for (int i = 0; i < rows; i += 8)
        {
            for (int j = 0; j < columns; j += 8)
            {
                Part(from + i * fromStride + j, fromStride, factor, to + j * toStride + i, toStride);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Part(float* from, nint stride, float factor, float* to, nint toStride)
    {
        Gemm.Transpose8x8.Store(
            Vector256.Load(from) * factor, Vector256.Load(from + stride) * factor,
            Vector256.Load(from + 2 * stride) * factor, Vector256.Load(from + 3 * stride) * factor,
            Vector256.Load(from + 4 * stride) * factor, Vector256.Load(from + 5 * stride) * factor,
            Vector256.Load(from + 6 * stride) * factor, Vector256.Load(from + 7 * stride) * factor,
            to, toStride);
    }
}
