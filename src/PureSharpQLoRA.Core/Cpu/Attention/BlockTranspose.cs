using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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
        if (!Avx.IsSupported)
        {
            for (int i = 0; i < 8; i++)
            {
                for (int j = 0; j < 8; j++)
                {
                    to[j * toStride + i] = factor * from[i * stride + j];
                }
            }

            return;
        }

        Vector256<float> r0 = Vector256.Load(from) * factor, r1 = Vector256.Load(from + stride) * factor;
        Vector256<float> r2 = Vector256.Load(from + 2 * stride) * factor, r3 = Vector256.Load(from + 3 * stride) * factor;
        Vector256<float> r4 = Vector256.Load(from + 4 * stride) * factor, r5 = Vector256.Load(from + 5 * stride) * factor;
        Vector256<float> r6 = Vector256.Load(from + 6 * stride) * factor, r7 = Vector256.Load(from + 7 * stride) * factor;
        Vector256<float> a0 = Avx.UnpackLow(r0, r1), a1 = Avx.UnpackHigh(r0, r1);
        Vector256<float> a2 = Avx.UnpackLow(r2, r3), a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5), a5 = Avx.UnpackHigh(r4, r5);
        Vector256<float> a6 = Avx.UnpackLow(r6, r7), a7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> b0 = Avx.Shuffle(a0, a2, 0x44), b1 = Avx.Shuffle(a0, a2, 0xEE);
        Vector256<float> b2 = Avx.Shuffle(a1, a3, 0x44), b3 = Avx.Shuffle(a1, a3, 0xEE);
        Vector256<float> b4 = Avx.Shuffle(a4, a6, 0x44), b5 = Avx.Shuffle(a4, a6, 0xEE);
        Vector256<float> b6 = Avx.Shuffle(a5, a7, 0x44), b7 = Avx.Shuffle(a5, a7, 0xEE);
        Avx.Permute2x128(b0, b4, 0x20).Store(to);
        Avx.Permute2x128(b1, b5, 0x20).Store(to + toStride);
        Avx.Permute2x128(b2, b6, 0x20).Store(to + 2 * toStride);
        Avx.Permute2x128(b3, b7, 0x20).Store(to + 3 * toStride);
        Avx.Permute2x128(b0, b4, 0x31).Store(to + 4 * toStride);
        Avx.Permute2x128(b1, b5, 0x31).Store(to + 5 * toStride);
        Avx.Permute2x128(b2, b6, 0x31).Store(to + 6 * toStride);
        Avx.Permute2x128(b3, b7, 0x31).Store(to + 7 * toStride);
    }
}
