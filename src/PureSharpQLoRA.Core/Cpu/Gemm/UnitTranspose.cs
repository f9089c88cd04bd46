using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>Eight rows of eight units become eight steps of a panel.</summary>
internal static unsafe class UnitTranspose
{
    /// <summary>Transposes fp32 rows that are <paramref name="fromStride"/> floats apart; for bf16 eight units are 16 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(float* from, nint fromStride, bool bf16, float* to, nint toStride) =>
        Transpose8x8.Store(
            Units(from, bf16), Units(from + fromStride, bf16),
            Units(from + 2 * fromStride, bf16), Units(from + 3 * fromStride, bf16),
            Units(from + 4 * fromStride, bf16), Units(from + 5 * fromStride, bf16),
            Units(from + 6 * fromStride, bf16), Units(from + 7 * fromStride, bf16),
            to, toStride);

    /// <summary>Eight units of one row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Units(float* from, bool bf16) =>
        bf16
            ? Vector256.Narrow(Bf16.Round(Vector256.Load(from)), Bf16.Round(Vector256.Load(from + 8))).AsSingle()
            : Vector256.Load(from);
}
