using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.PtxMachine;

// Floating-point arithmetic (PTX ISA "Floating-Point Instructions").

internal readonly struct AddF32 : IVectorBinary<float> { public static float Apply(float a, float b) => a + b; public static Vector256<float> Apply(Vector256<float> a, Vector256<float> b) => a + b; }
internal readonly struct SubF32 : IVectorBinary<float> { public static float Apply(float a, float b) => a - b; public static Vector256<float> Apply(Vector256<float> a, Vector256<float> b) => a - b; }
internal readonly struct MulF32 : IVectorBinary<float> { public static float Apply(float a, float b) => a * b; public static Vector256<float> Apply(Vector256<float> a, Vector256<float> b) => a * b; }
internal readonly struct DivF32 : IBinary<float, float> { public static float Apply(float a, float b) => a / b; }
internal readonly struct FmaF32 : IVectorTernary<float>
{
    public static float Apply(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);
    public static Vector256<float> Apply(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);
}

internal readonly struct AddF64 : IBinary<double, double> { public static double Apply(double a, double b) => a + b; }
internal readonly struct SubF64 : IBinary<double, double> { public static double Apply(double a, double b) => a - b; }
internal readonly struct MulF64 : IBinary<double, double> { public static double Apply(double a, double b) => a * b; }
internal readonly struct DivF64 : IBinary<double, double> { public static double Apply(double a, double b) => a / b; }
internal readonly struct FmaF64 : ITernary<double, double> { public static double Apply(double a, double b, double c) => Math.FusedMultiplyAdd(a, b, c); }

/// <summary>min/max: a NaN operand is dropped, and -0 is below +0.</summary>
internal readonly struct MinF<T> : IBinary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a, T b) => T.IsNaN(a) ? b : T.IsNaN(b) ? a : T.Min(a, b); }
internal readonly struct MaxF<T> : IBinary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a, T b) => T.IsNaN(a) ? b : T.IsNaN(b) ? a : T.Max(a, b); }
/// <summary>min.NaN/max.NaN: any NaN operand gives NaN.</summary>
internal readonly struct MinNaN<T> : IBinary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a, T b) => T.Min(a, b); }
internal readonly struct MaxNaN<T> : IBinary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a, T b) => T.Max(a, b); }

internal readonly struct NegF<T> : IUnary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a) => -a; }
internal readonly struct AbsF<T> : IUnary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a) => T.Abs(a); }
internal readonly struct CopySignF<T> : IBinary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a, T b) => T.CopySign(b, a); }

internal readonly struct RcpF<T> : IUnary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a) => T.One / a; }
internal readonly struct SqrtF<T> : IUnary<T, T> where T : unmanaged, IFloatingPointIeee754<T> { public static T Apply(T a) => T.Sqrt(a); }

// The approximate functions are computed in double and rounded once: closer than any GPU, so tests need the GPU's tolerance.
internal readonly struct RsqrtF32 : IUnary<float, float> { public static float Apply(float a) => (float)(1.0 / Math.Sqrt(a)); }
internal readonly struct RsqrtF64 : IUnary<double, double> { public static double Apply(double a) => 1.0 / Math.Sqrt(a); }
internal readonly struct SinF32 : IUnary<float, float> { public static float Apply(float a) => (float)Math.Sin(a); }
internal readonly struct CosF32 : IUnary<float, float> { public static float Apply(float a) => (float)Math.Cos(a); }
internal readonly struct Ex2F32 : IUnary<float, float> { public static float Apply(float a) => (float)Math.Pow(2.0, a); }
internal readonly struct Lg2F32 : IUnary<float, float> { public static float Apply(float a) => (float)Math.Log2(a); }
internal readonly struct TanhF32 : IUnary<float, float> { public static float Apply(float a) => (float)Math.Tanh(a); }

/// <summary>The .approx.ftz.f64 forms keep only the upper 32 bits of the result.</summary>
internal readonly struct Upper64<TOp> : IUnary<double, double> where TOp : struct, IUnary<double, double>
{
    public static double Apply(double a) => BitConverter.UInt64BitsToDouble(BitConverter.DoubleToUInt64Bits(TOp.Apply(a)) & 0xFFFFFFFF00000000);
}

/// <summary>.ftz: subnormal inputs and results become signed zero.</summary>
internal readonly struct Ftz1<TOp> : IUnary<float, float> where TOp : struct, IUnary<float, float> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static float Apply(float a) => NumberConverter.Flush(TOp.Apply(NumberConverter.Flush(a))); }
internal readonly struct Ftz2<TOp> : IBinary<float, float> where TOp : struct, IBinary<float, float> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static float Apply(float a, float b) => NumberConverter.Flush(TOp.Apply(NumberConverter.Flush(a), NumberConverter.Flush(b))); }
internal readonly struct Ftz3<TOp> : ITernary<float, float> where TOp : struct, ITernary<float, float> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static float Apply(float a, float b, float c) => NumberConverter.Flush(TOp.Apply(NumberConverter.Flush(a), NumberConverter.Flush(b), NumberConverter.Flush(c))); }

/// <summary>.sat: clamps to [0, 1], NaN to +0.</summary>
internal readonly struct Sat2<TOp> : IBinary<float, float> where TOp : struct, IBinary<float, float> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static float Apply(float a, float b) => (float)NumberConverter.Saturate(TOp.Apply(a, b)); }
internal readonly struct Sat3<TOp> : ITernary<float, float> where TOp : struct, ITernary<float, float> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static float Apply(float a, float b, float c) => (float)NumberConverter.Saturate(TOp.Apply(a, b, c)); }
/// <summary>.relu: negative results become 0, NaN stays canonical.</summary>
internal readonly struct Relu3<TOp> : ITernary<float, float> where TOp : struct, ITernary<float, float> { public static float Apply(float a, float b, float c) => TOp.Apply(a, b, c) is var x && x < 0 ? 0 : x; }

internal interface IRounding { static abstract RoundMode Mode { get; } }
internal readonly struct RoundZero : IRounding { public static RoundMode Mode => RoundMode.Zero; }
internal readonly struct RoundDown : IRounding { public static RoundMode Mode => RoundMode.Down; }
internal readonly struct RoundUp : IRounding { public static RoundMode Mode => RoundMode.Up; }

/// <summary>Directed-rounding f32 arithmetic, through a round-to-odd double of the exact result.</summary>
internal readonly struct AddDirected<TMode> : IBinary<float, float> where TMode : struct, IRounding { public static float Apply(float a, float b) => SmallFloat.ToSingle(SmallFloat.AddToOdd(a, b), TMode.Mode); }
internal readonly struct SubDirected<TMode> : IBinary<float, float> where TMode : struct, IRounding { public static float Apply(float a, float b) => SmallFloat.ToSingle(SmallFloat.AddToOdd(a, -b), TMode.Mode); }
internal readonly struct MulDirected<TMode> : IBinary<float, float> where TMode : struct, IRounding { public static float Apply(float a, float b) => SmallFloat.ToSingle((double)a * b, TMode.Mode); }
internal readonly struct FmaDirected<TMode> : ITernary<float, float> where TMode : struct, IRounding { public static float Apply(float a, float b, float c) => SmallFloat.ToSingle(SmallFloat.AddToOdd((double)a * b, c), TMode.Mode); }

/// <summary>One 16-bit float in a 32-bit lane.</summary>
internal readonly struct Half1<TFormat, TOp> : IUnary<uint, uint> where TFormat : struct, IHalfFormat where TOp : struct, IUnary<float, float>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Apply(uint a) => TFormat.FromSingle(TOp.Apply(TFormat.ToSingle(a & 0xFFFF)));
}

internal readonly struct Half2<TFormat, TOp> : IBinary<uint, uint> where TFormat : struct, IHalfFormat where TOp : struct, IBinary<float, float>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    // float carries at least 2p + 2 bits for both formats, so rounding its result again is a single rounding
    public static uint Apply(uint a, uint b) => TFormat.FromSingle(TOp.Apply(TFormat.ToSingle(a & 0xFFFF), TFormat.ToSingle(b & 0xFFFF)));
}

/// <summary>Fused multiply-add of a 16-bit format with one rounding, then .sat or .relu.</summary>
internal readonly struct HalfFma<TFormat, TPost> : ITernary<uint, uint> where TFormat : struct, IHalfFormat where TPost : struct, IUnary<double, double>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Apply(uint a, uint b, uint c) =>
        TFormat.FromDoubleExact(TPost.Apply(SmallFloat.AddToOdd(
            (double)TFormat.ToSingle(a & 0xFFFF) * TFormat.ToSingle(b & 0xFFFF), TFormat.ToSingle(c & 0xFFFF))));
}

internal readonly struct Keep : IUnary<double, double> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static double Apply(double a) => a; }
internal readonly struct Saturate : IUnary<double, double> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static double Apply(double a) => NumberConverter.Saturate(a); }
internal readonly struct Relu : IUnary<double, double> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static double Apply(double a) => a < 0 ? 0 : a; }

/// <summary>neg and abs of 16-bit floats only touch the sign bit.</summary>
internal readonly struct HalfNeg : IUnary<uint, uint> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static uint Apply(uint a) => (a ^ 0x8000) & 0xFFFF; }
internal readonly struct HalfAbs : IUnary<uint, uint> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static uint Apply(uint a) => a & 0x7FFF; }

/// <summary>Applies a 16-bit operation to both halves of a packed register.</summary>
internal readonly struct Packed1<TOp> : IUnary<uint, uint> where TOp : struct, IUnary<uint, uint> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static uint Apply(uint a) => TOp.Apply(a & 0xFFFF) | TOp.Apply(a >> 16) << 16; }
internal readonly struct Packed2<TOp> : IBinary<uint, uint> where TOp : struct, IBinary<uint, uint> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static uint Apply(uint a, uint b) => TOp.Apply(a & 0xFFFF, b & 0xFFFF) | TOp.Apply(a >> 16, b >> 16) << 16; }
internal readonly struct Packed3<TOp> : ITernary<uint, uint> where TOp : struct, ITernary<uint, uint> { [MethodImpl(MethodImplOptions.AggressiveInlining)] public static uint Apply(uint a, uint b, uint c) => TOp.Apply(a & 0xFFFF, b & 0xFFFF, c & 0xFFFF) | TOp.Apply(a >> 16, b >> 16, c >> 16) << 16; }
