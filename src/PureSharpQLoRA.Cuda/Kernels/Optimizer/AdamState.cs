using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Optimizer;

/// <summary>A parameter and its two moments.</summary>
internal struct AdamState
{
    public float Parameter, First, Second;

    /// <summary>One AdamW update with gradient <paramref name="g"/> (Loshchilov and Hutter 2017, arXiv:1711.05101), in PyTorch's order of operations.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AdamState Update(AdamState s, float g, AdamSettings a)
    {
        float first = Ptx.MultiplyAdd(g - s.First, a.Rest1, s.First);
        float second = Ptx.MultiplyAdd(g * g, a.Rest2, s.Second * a.Beta2);
        float root = Ptx.Divide(Ptx.SquareRoot(second), a.RootCorrection) + a.Epsilon;
        return new() { First = first, Second = second, Parameter = s.Parameter * a.Decay - Ptx.Divide(first, root) * a.StepSize };
    }
}

/// <summary>Four of them.</summary>
internal struct AdamStates
{
    public F4 Parameters, First, Second;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AdamStates Update(AdamStates s, F4 g, float factor, AdamSettings a)
    {
        AdamState x = AdamState.Update(new() { Parameter = s.Parameters.X, First = s.First.X, Second = s.Second.X }, g.X * factor, a);
        AdamState y = AdamState.Update(new() { Parameter = s.Parameters.Y, First = s.First.Y, Second = s.Second.Y }, g.Y * factor, a);
        AdamState z = AdamState.Update(new() { Parameter = s.Parameters.Z, First = s.First.Z, Second = s.Second.Z }, g.Z * factor, a);
        AdamState w = AdamState.Update(new() { Parameter = s.Parameters.W, First = s.First.W, Second = s.Second.W }, g.W * factor, a);
        return new()
        {
            Parameters = new() { X = x.Parameter, Y = y.Parameter, Z = z.Parameter, W = w.Parameter },
            First = new() { X = x.First, Y = y.First, Z = z.First, W = w.First },
            Second = new() { X = x.Second, Y = y.Second, Z = z.Second, W = w.Second },
        };
    }
}
