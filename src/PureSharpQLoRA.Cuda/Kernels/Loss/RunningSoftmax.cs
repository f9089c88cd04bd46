using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Loss;

/// <summary>The maximum, and the sum of exponentials relative to it, of the logits that a thread has seen.</summary>
internal struct RunningSoftmax
{
    private const float Log2E = 1.44269504f;

    public float Maximum, Sum;

    /// <summary>exp(x - maximum); 0 for -infinity, also where the maximum is -infinity.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Power(float x, float maximum) => Ptx.Exp2((x - Ptx.Max(maximum, float.MinValue)) * Log2E);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RunningSoftmax Add(RunningSoftmax s, F4 x)
    {
        float maximum = Ptx.Max(s.Maximum, Ptx.Max(Ptx.Max(x.X, x.Y), Ptx.Max(x.Z, x.W)));
        float added = Power(x.X, maximum) + Power(x.Y, maximum) + (Power(x.Z, maximum) + Power(x.W, maximum));
        return new() { Maximum = maximum, Sum = s.Sum * Power(s.Maximum, maximum) + added };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RunningSoftmax Add(RunningSoftmax s, float x)
    {
        float maximum = Ptx.Max(s.Maximum, x);
        return new() { Maximum = maximum, Sum = s.Sum * Power(s.Maximum, maximum) + Power(x, maximum) };
    }
}
