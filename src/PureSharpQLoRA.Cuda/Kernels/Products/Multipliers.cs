using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>The tensor core of an architecture, for one type of operands.</summary>
internal interface IMultiplier
{
    /// <summary>c += a·b for a 16x16 fragment a and a 16x8 fragment b (b0: reduction 0 to 7, b1: 8 to 15).</summary>
    static abstract F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1);
}

/// <summary>fp16 on sm_75: two m16n8k8.</summary>
internal struct TuringHalves : IMultiplier
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAdd16x8x8(Ptx.MultiplyAdd16x8x8(c, a.X, a.Y, b0), a.Z, a.W, b1);
}

/// <summary>fp16 from sm_80 on: one m16n8k16.</summary>
internal struct AmpereHalves : IMultiplier
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAdd16x8x16(c, a.X, a.Y, a.Z, a.W, b0, b1);
}

/// <summary>bf16, from sm_80 on.</summary>
internal struct AmpereBrains : IMultiplier
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAddBrain16x8x16(c, a.X, a.Y, a.Z, a.W, b0, b1);
}
