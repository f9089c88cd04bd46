using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

internal static unsafe class Transpose8x8
{
    /// <summary>Stores eight rows of eight floats as eight columns, <paramref name="stride"/> floats apart.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(
        Vector256<float> r0, Vector256<float> r1, Vector256<float> r2, Vector256<float> r3,
        Vector256<float> r4, Vector256<float> r5, Vector256<float> r6, Vector256<float> r7,
        float* to, nint stride)
    {
        if (!Avx.IsSupported)
        {
            StoreScalar(r0, to, stride);
            StoreScalar(r1, to + 1, stride);
            StoreScalar(r2, to + 2, stride);
            StoreScalar(r3, to + 3, stride);
            StoreScalar(r4, to + 4, stride);
            StoreScalar(r5, to + 5, stride);
            StoreScalar(r6, to + 6, stride);
            StoreScalar(r7, to + 7, stride);
            return;
        }

        Vector256<float> a0 = Avx.UnpackLow(r0, r1), a1 = Avx.UnpackHigh(r0, r1);
        Vector256<float> a2 = Avx.UnpackLow(r2, r3), a3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> a4 = Avx.UnpackLow(r4, r5), a5 = Avx.UnpackHigh(r4, r5);
        Vector256<float> a6 = Avx.UnpackLow(r6, r7), a7 = Avx.UnpackHigh(r6, r7);
        Vector256<float> b0 = Avx.Shuffle(a0, a2, 0x44), b1 = Avx.Shuffle(a0, a2, 0xEE);
        Vector256<float> b2 = Avx.Shuffle(a1, a3, 0x44), b3 = Avx.Shuffle(a1, a3, 0xEE);
        Vector256<float> b4 = Avx.Shuffle(a4, a6, 0x44), b5 = Avx.Shuffle(a4, a6, 0xEE);
        Vector256<float> b6 = Avx.Shuffle(a5, a7, 0x44), b7 = Avx.Shuffle(a5, a7, 0xEE);
        Avx.Permute2x128(b0, b4, 0x20).Store(to);
        Avx.Permute2x128(b1, b5, 0x20).Store(to + stride);
        Avx.Permute2x128(b2, b6, 0x20).Store(to + 2 * stride);
        Avx.Permute2x128(b3, b7, 0x20).Store(to + 3 * stride);
        Avx.Permute2x128(b0, b4, 0x31).Store(to + 4 * stride);
        Avx.Permute2x128(b1, b5, 0x31).Store(to + 5 * stride);
        Avx.Permute2x128(b2, b6, 0x31).Store(to + 6 * stride);
        Avx.Permute2x128(b3, b7, 0x31).Store(to + 7 * stride);
    }

    private static void StoreScalar(Vector256<float> row, float* to, nint stride)
    {
        for (int i = 0; i < 8; i++)
        {
            to[i * stride] = row.GetElement(i);
        }
    }
}
