using ILGPU.IR.Intrinsics;
using SystemHalf = System.Half;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// Conversions between fp32 and the 16-bit formats, and arithmetic on pairs of halves. A pair lies in 32 bits, its first element in the low ones.
internal static partial class Ptx
{
    /// <summary>Two floats rounded to halves; <paramref name="low"/> goes to the low 16 bits.</summary>
    [IntrinsicImplementation, Ptx("{.reg .b16 l,h; cvt.rn.f16.f32 l, %1; cvt.rn.f16.f32 h, %2; mov.b32 %0, {l,h};}")]
    public static uint PackHalves(float low, float high) => ToHalf(low) | (uint)ToHalf(high) << 16;

    /// <summary>As <see cref="PackHalves"/> in one instruction, from sm_80 on.</summary>
    [IntrinsicImplementation, Ptx("cvt.rn.f16x2.f32 %0, %2, %1")]
    public static uint PackHalvesAmpere(float low, float high) => PackHalves(low, high);

    /// <summary>Two floats rounded to bf16, from sm_80 on.</summary>
    [IntrinsicImplementation, Ptx("cvt.rn.bf16x2.f32 %0, %2, %1")]
    public static uint PackBrains(float low, float high) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("{.reg .b16 l,h; mov.b32 {l,h}, %1; cvt.f32.f16 %0, l;}")]
    public static float LowHalf(uint pair) => FromHalf((ushort)pair);

    [IntrinsicImplementation, Ptx("{.reg .b16 l,h; mov.b32 {l,h}, %1; cvt.f32.f16 %0, h;}")]
    public static float HighHalf(uint pair) => FromHalf((ushort)(pair >> 16));

    /// <summary>A half held in the low 16 bits.</summary>
    [IntrinsicImplementation, Ptx("{.reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h;}")]
    public static float HalfToFloat(uint bits) => FromHalf((ushort)bits);

    /// <summary>Product of two pairs of halves.</summary>
    [IntrinsicImplementation, Ptx("mul.rn.f16x2 %0, %1, %2")]
    public static uint MultiplyHalf2(uint a, uint b) => PackHalves(LowHalf(a) * LowHalf(b), HighHalf(a) * HighHalf(b));

    private static ushort ToHalf(float value) => BitConverter.HalfToUInt16Bits((SystemHalf)value);

    private static float FromHalf(ushort bits) => (float)BitConverter.UInt16BitsToHalf(bits);
}
