using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>Running maximum of the products and sum of the exponentials of a lane's two rows.</summary>
internal struct OnlineSoftmax
{
    /// <summary>Below any logit, and finite also times a factor.</summary>
    private const float NoKey = -1e30f;

    public RowPair Maximum, Sum;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static OnlineSoftmax Create() => new() { Maximum = RowPair.Create(float.NegativeInfinity, float.NegativeInfinity), Sum = RowPair.Create(0, 0) };

    /// <summary>What to subtract in the exponent; finite for rows that have seen no key yet, whose powers are then 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowPair Offset(RowPair maximum, float factor) => RowPair.Create(Offset(maximum.Low, factor), Offset(maximum.High, factor));

    /// <summary>What the old sums are worth under a new maximum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowPair Shrink(RowPair oldMaximum, RowPair offset, float factor) => RowPair.Create(
        Ptx.Exp2(oldMaximum.Low * factor - offset.Low), Ptx.Exp2(oldMaximum.High * factor - offset.High));

    // No branch: the value comes from an intrinsic, see Ptx.Pin.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Offset(float maximum, float factor) => Ptx.Max(maximum, NoKey) * factor;
}
