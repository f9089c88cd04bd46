using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>What a card multiplies with: its tensor-core instruction, and NF4 weights in the type it takes.</summary>
internal interface INf4Core
{
    /// <summary>c + a·b over 16 of the reduction.</summary>
    /// <param name="c">16x8 sums.</param>
    /// <param name="a">X, Y: rows g and g + 8, first pair of the reduction; Z, W: the same, second pair.</param>
    /// <param name="b0">Column g, first pair.</param>
    /// <param name="b1">Column g, second pair.</param>
    static abstract F4 Step(F4 c, U4 a, uint b0, uint b1);

    /// <summary>Eight decoded weights.</summary>
    static abstract U4 Weights(Nf4Table table, uint codes, uint scale);
}

/// <summary>fp16 on Turing: two m16n8k8.</summary>
internal struct TuringHalfCore : INf4Core
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Step(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAdd16x8x8(Ptx.MultiplyAdd16x8x8(c, a.X, a.Y, b0), a.Z, a.W, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Weights(Nf4Table table, uint codes, uint scale) => Nf4Decode.Weights(table, codes, scale);
}

/// <summary>fp16 on Ampere and later: one m16n8k16.</summary>
internal struct AmpereHalfCore : INf4Core
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Step(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAdd16x8x16(c, a.X, a.Y, a.Z, a.W, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Weights(Nf4Table table, uint codes, uint scale) => Nf4Decode.Weights(table, codes, scale);
}

/// <summary>
/// bf16 on Ampere and later. Weights are decoded in fp16, whose 11 bits lose little, and rounded to bf16 once: level and scale in bf16 would be
/// wrong by 2.9e-3 (relative Frobenius), this by 1.7e-3, as a weight in fp32 that is rounded to bf16.
/// </summary>
internal struct AmpereBrainCore : INf4Core
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Step(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAddBrain16x8x16(c, a.X, a.Y, a.Z, a.W, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Weights(Nf4Table table, uint codes, uint scale)
    {
        U4 r = Nf4Decode.Weights(table, codes, scale);
        r.X = ToBrains(r.X);
        r.Y = ToBrains(r.Y);
        r.Z = ToBrains(r.Z);
        r.W = ToBrains(r.W);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint ToBrains(uint halves) => Ptx.PackBrains(Ptx.LowHalf(halves), Ptx.HighHalf(halves));
}
