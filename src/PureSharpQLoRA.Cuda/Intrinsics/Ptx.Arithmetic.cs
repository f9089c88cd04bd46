using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// Arithmetic with the rounding that is written down, approximate functions, and placement of values.
internal static partial class Ptx
{
    [IntrinsicImplementation, Ptx("ex2.approx.ftz.f32 %0, %1")]
    public static float Exp2(float x) => MathF.Pow(2, x);

    [IntrinsicImplementation, Ptx("lg2.approx.ftz.f32 %0, %1")]
    public static float Log2(float x) => MathF.Log2(x);

    [IntrinsicImplementation, Ptx("rcp.approx.ftz.f32 %0, %1")]
    public static float Reciprocal(float x) => 1 / x;

    [IntrinsicImplementation, Ptx("rsqrt.approx.ftz.f32 %0, %1")]
    public static float ReciprocalSqrt(float x) => 1 / MathF.Sqrt(x);

    [IntrinsicImplementation, Ptx("tanh.approx.f32 %0, %1")]
    public static float Tanh(float x) => MathF.Tanh(x);

    [IntrinsicImplementation, Ptx("sqrt.rn.f32 %0, %1")]
    public static float SquareRoot(float x) => MathF.Sqrt(x);

    [IntrinsicImplementation, Ptx("div.rn.f32 %0, %1, %2")]
    public static float Divide(float x, float y) => x / y;

    [IntrinsicImplementation, Ptx("sqrt.rn.f64 %0, %1")]
    public static double SquareRoot(double x) => Math.Sqrt(x);

    [IntrinsicImplementation, Ptx("div.rn.f64 %0, %1, %2")]
    public static double Divide(double x, double y) => x / y;

    [IntrinsicImplementation, Ptx("min.f64 %0, %1, %2")]
    public static double Min(double a, double b) => Math.Min(a, b);

    [IntrinsicImplementation, Ptx("fma.rn.f32 %0, %1, %2, %3")]
    public static float MultiplyAdd(float a, float b, float c) => MathF.FusedMultiplyAdd(a, b, c);

    [IntrinsicImplementation, Ptx("max.f32 %0, %1, %2")]
    public static float Max(float a, float b) => MathF.Max(a, b);

    /// <summary>
    /// The value itself, computed where this call stands: ILGPU moves pure values to their uses, and into loops. ILGPU takes the result of
    /// any intrinsic for the same in all threads and marks branches on it bra.uni, so a value that differs between the lanes of a warp must not
    /// decide a branch once it is pinned (or comes from another intrinsic).
    /// </summary>
    [IntrinsicImplementation, Ptx("mov.b32 %0, %1")]
    public static int Pin(int value) => value;

    /// <inheritdoc cref="Pin(int)"/>
    [IntrinsicImplementation, Ptx("mov.b32 %0, %1")]
    public static uint Pin(uint value) => value;

    /// <inheritdoc cref="Pin(int)"/>
    [IntrinsicImplementation, Ptx("mov.f32 %0, %1")]
    public static float Pin(float value) => value;

    /// <summary>The upper 32 bits of a product.</summary>
    [IntrinsicImplementation, Ptx("mul.hi.u32 %0, %1, %2")]
    public static uint MultiplyHigh(uint a, uint b) => (uint)((ulong)a * b >> 32);

    /// <summary>Picks four bytes of the eight in (b, a) by the nibbles of the selector; bit 3 of a nibble replicates the byte's sign.</summary>
    [IntrinsicImplementation, Ptx("prmt.b32 %0, %1, %2, %3")]
    public static uint Permute(uint a, uint b, uint selector)
    {
        ulong bytes = a | (ulong)b << 32;
        uint result = 0;
        for (int i = 0; i < 4; i++)
        {
            uint nibble = selector >> (4 * i) & 15, value = (uint)(bytes >> (int)(8 * (nibble & 7))) & 0xFF;
            if (nibble >= 8)
            {
                value = (value & 0x80) != 0 ? 0xFFu : 0;
            }

            result |= value << (8 * i);
        }

        return result;
    }
}
