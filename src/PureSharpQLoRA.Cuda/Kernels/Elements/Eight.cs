using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Elements;

/// <summary>Eight floats in registers.</summary>
internal struct Eight
{
    public F4 A, B;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Of(float value) => new() { A = Of4(value), B = Of4(value) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(Eight x, Eight y) => Dot(x.A, y.A) + Dot(x.B, y.B);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Multiply(Eight x, Eight y) => new() { A = Multiply(x.A, y.A), B = Multiply(x.B, y.B) };

    /// <summary>x * scale + y.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight ScaleAdd(Eight x, float scale, Eight y) => new() { A = ScaleAdd(x.A, scale, y.A), B = ScaleAdd(x.B, scale, y.B) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Scale(Eight x, float scale) => new() { A = Scale(x.A, scale), B = Scale(x.B, scale) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Add(Eight x, Eight y) => new() { A = ScaleAdd(x.A, 1, y.A), B = ScaleAdd(x.B, 1, y.B) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Add(Eight x, float value) => new() { A = Add(x.A, value), B = Add(x.B, value) };

    /// <summary>What the lane whose number differs in the bits of <paramref name="mask"/> holds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight ShuffleXor(Eight x, int mask) => new() { A = ShuffleXor(x.A, mask), B = ShuffleXor(x.B, mask) };

    /// <summary>x / y, rounded to nearest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Divide(Eight x, Eight y) => new() { A = Divide(x.A, y.A), B = Divide(x.B, y.B) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 ShuffleXor(F4 x, int mask) => new()
    {
        X = Ptx.ShuffleXor(x.X, mask),
        Y = Ptx.ShuffleXor(x.Y, mask),
        Z = Ptx.ShuffleXor(x.Z, mask),
        W = Ptx.ShuffleXor(x.W, mask),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Of4(float value) => new() { X = value, Y = value, Z = value, W = value };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Divide(F4 x, F4 y) => new() { X = Ptx.Divide(x.X, y.X), Y = Ptx.Divide(x.Y, y.Y), Z = Ptx.Divide(x.Z, y.Z), W = Ptx.Divide(x.W, y.W) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Dot(F4 x, F4 y) => x.X * y.X + x.Y * y.Y + x.Z * y.Z + x.W * y.W;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Multiply(F4 x, F4 y) => new() { X = x.X * y.X, Y = x.Y * y.Y, Z = x.Z * y.Z, W = x.W * y.W };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 ScaleAdd(F4 x, float s, F4 y) => new() { X = x.X * s + y.X, Y = x.Y * s + y.Y, Z = x.Z * s + y.Z, W = x.W * s + y.W };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Scale(F4 x, float s) => new() { X = x.X * s, Y = x.Y * s, Z = x.Z * s, W = x.W * s };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Add(F4 x, float v) => new() { X = x.X + v, Y = x.Y + v, Z = x.Z + v, W = x.W + v };
}
