using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PureSharpQLoRA.Core.Cpu;

internal static class VectorMath
{
    private const float Log2E = 1.44269504f;
    private const float MinusLn2High = -0.693359375f;
    private const float MinusLn2Low = 2.12194440e-4f;
    private const float MinArgument = -87f;
    private const float MaxArgument = 88f;
    private const float MinExponent = -126f;
    private const float SmallestArgument = -110f;
    private const byte RoundToNearest = 0x08;
    private const byte ReduceToFloor = 0x09;

    /// <summary>
    /// e^x to about 1.5 units in the last place: x = n ln 2 + r with a two-part ln 2, a degree 6 polynomial for e^r,
    /// and 2^n by exponent arithmetic. Far below -87 it returns zero, so that masked scores (minus infinity) vanish.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp(Vector512<float> x)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            // vscalefps itself goes to 0 and to infinity; only minus infinity must be kept out of the remainder. A NaN in x survives the order of operands.
            Vector512<float> bounded = Vector512.MaxNative(Vector512.Create(SmallestArgument), x);
            Vector512<float> power = Avx512F.RoundScale(bounded * Log2E, RoundToNearest);
            return Avx512F.Scale(ExpOfRemainder(bounded, power), power);
        }

        Vector512<float> limited = Vector512.Min(Vector512.Max(x, Vector512.Create(MinArgument)), Vector512.Create(MaxArgument));
        Vector512<float> n = Vector512.Round(limited * Log2E);
        Vector512<float> result = ExpOfRemainder(limited, n) * PowerOfTwo(n);
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(MinArgument)), Vector512<float>.Zero, result);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Sigmoid(Vector512<float> x) => Vector512<float>.One / (Vector512<float>.One + Exp(-x));

    /// <summary>
    /// 2^x to about 1.2 units in the last place, for x up to 127: the fraction of x above its floor goes through a minimax
    /// polynomial of degree 5, the floor into the exponent. Minus infinity gives 0, so that masked scores vanish.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Exp2(Vector512<float> x)
    {
        if (Vector512.IsHardwareAccelerated && Avx512DQ.IsSupported)
        {
            // vreduceps with "round down" is x - floor(x), and vscalefps multiplies by 2^floor(x).
            return Avx512F.Scale(Exp2OfFraction(Avx512DQ.Reduce(x, ReduceToFloor)), x);
        }

        Vector512<float> limited = Vector512.Max(x, Vector512.Create(MinExponent));
        Vector512<float> n = Vector512.Floor(limited);
        Vector512<float> result = Exp2OfFraction(limited - n) * PowerOfTwo(n);
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512.Create(MinExponent)), Vector512<float>.Zero, result);
    }

    /// <summary>e^(x - n ln 2).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> ExpOfRemainder(Vector512<float> x, Vector512<float> n)
    {
        Vector512<float> r = Vector512.FusedMultiplyAdd(n, Vector512.Create(MinusLn2High), x);
        r = Vector512.FusedMultiplyAdd(n, Vector512.Create(MinusLn2Low), r);
        Vector512<float> p = Vector512.Create(1.9875691500e-4f);
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.3981999507e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(8.3334519073e-3f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(4.1665795894e-2f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(1.6666665459e-1f));
        p = Vector512.FusedMultiplyAdd(p, r, Vector512.Create(5.0000001201e-1f));
        return Vector512.FusedMultiplyAdd(p, r * r, r + Vector512<float>.One);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Exp2OfFraction(Vector512<float> f)
    {
        Vector512<float> p = Vector512.Create(1.8671300495e-3f);
        p = Vector512.MultiplyAddEstimate(p, f, Vector512.Create(9.0170307085e-3f));
        p = Vector512.MultiplyAddEstimate(p, f, Vector512.Create(5.5799912661e-2f));
        p = Vector512.MultiplyAddEstimate(p, f, Vector512.Create(2.4016444385e-1f));
        p = Vector512.MultiplyAddEstimate(p, f, Vector512.Create(6.9315129519e-1f));
        return Vector512.MultiplyAddEstimate(p, f, Vector512<float>.One);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> PowerOfTwo(Vector512<float> n) =>
        ((Vector512.ConvertToInt32(n) + Vector512.Create(127)) << 23).AsSingle();
}
