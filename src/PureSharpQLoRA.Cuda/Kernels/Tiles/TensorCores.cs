using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>What differs between element types and GPU generations in the arithmetic of registers.</summary>
internal interface ITensorCore
{
    /// <summary>c += a · b for a 16x16 fragment a and a 16x8 fragment (b0: rows 0-7, b1: rows 8-15) b.</summary>
    static abstract F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1);

    /// <summary>Two floats as a pair of elements.</summary>
    static abstract uint Pack(float low, float high);
}

/// <summary>fp16 on sm_75: two m16n8k8 products.</summary>
internal struct TuringCore : ITensorCore
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAdd16x8x8(Ptx.MultiplyAdd16x8x8(c, a.X, a.Y, b0), a.Z, a.W, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Ptx.PackHalves(low, high);
}

/// <summary>fp16 on sm_80 and later: one m16n8k16 product.</summary>
internal struct AmpereCore : ITensorCore
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAdd16x8x16(c, a.X, a.Y, a.Z, a.W, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Ptx.PackHalvesAmpere(low, high);
}

/// <summary>bf16 on sm_80 and later.</summary>
internal struct BrainCore : ITensorCore
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 MultiplyAdd(F4 c, U4 a, uint b0, uint b1) => Ptx.MultiplyAddBrain16x8x16(c, a.X, a.Y, a.Z, a.W, b0, b1);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Pack(float low, float high) => Ptx.PackBrains(low, high);
}
