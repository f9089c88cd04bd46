using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>Half-width floating point: rounding to bf16 (to nearest, ties to even), and widening of bf16 and fp16.</summary>
internal static unsafe class Bf16
{
    /// <summary>2^112: the difference of the exponents' biases.</summary>
    private const float HalfToSingleExponent = 5.192296858534828e33f;

    /// <summary>Takes the high words of 16 lanes of one vector and puts the high words of another behind each.</summary>
    private static readonly Vector512<ushort> HighWords = Vector512.Create(
        (ushort)1, 33, 3, 35, 5, 37, 7, 39, 9, 41, 11, 43, 13, 45, 15, 47, 17, 49, 19, 51, 21, 53, 23, 55, 25, 57, 27, 59, 29, 61, 31, 63);

    /// <summary>The bf16 pattern of a value, in the low 16 bits.</summary>
    public static uint Round(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    }

    /// <summary>Two values as one unit.</summary>
    public static float Pair(float first, float second) => BitConverter.UInt32BitsToSingle(Round(first) | (Round(second) << 16));

    /// <summary>Rounds 8 values; the patterns are in the low 16 bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Round(Vector256<float> values) => Biased(values.AsUInt32()) >>> 16;

    /// <summary>Rounds two vectors and joins them lane by lane: even values low, odd values high.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Join(Vector512<float> even, Vector512<float> odd) =>
        Avx512BW.PermuteVar32x16x2(Biased(even.AsUInt32()).AsUInt16(), HighWords, Biased(odd.AsUInt32()).AsUInt16()).AsSingle();

    /// <summary>As <see cref="Join(Vector512{float}, Vector512{float})"/>, of 8 lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Join(Vector256<float> even, Vector256<float> odd) =>
        (Round(even) | (Biased(odd.AsUInt32()) & Vector256.Create(0xFFFF0000u))).AsSingle();

    /// <summary>Widens 16 bf16 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen16(ushort* values)
    {
        if (Avx512F.IsSupported)
        {
            return (Avx512F.ConvertToVector512UInt32(Vector256.Load(values)) << 16).AsSingle();
        }

        (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Load(values));
        return (Vector512.Create(low, high) << 16).AsSingle();
    }

    /// <summary>Widens 8 bf16 values.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen8(ushort* values)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load(values));
        return (Vector256.Create(low, high) << 16).AsSingle();
    }

    /// <summary>Widens one bf16 value.</summary>
    public static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>Widens 8 fp16 values: the exponent is rebiased by a multiplication, which also normalises subnormals.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> WidenHalf8(ushort* values)
    {
        (Vector128<uint> low, Vector128<uint> high) = Vector128.Widen(Vector128.Load(values));
        Vector256<uint> bits = Vector256.Create(low, high);
        Vector256<uint> magnitude = bits & Vector256.Create(0x7FFFu);
        Vector256<uint> finite = ((magnitude << 13).AsSingle() * Vector256.Create(HalfToSingleExponent)).AsUInt32();
        Vector256<uint> special = Vector256.GreaterThan(magnitude, Vector256.Create(0x7BFFu)) & Vector256.Create(0x7F800000u);
        return (finite | special | ((bits & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Biased(Vector256<uint> bits) => bits + Vector256.Create(0x7FFFu) + ((bits >>> 16) & Vector256<uint>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Biased(Vector512<uint> bits) => bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One);
}
