using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Reductions;

/// <summary>Sums and maxima over a warp or a block, in one fixed order; every thread gets the result.</summary>
internal static class BlockReduction
{
    /// <summary>Floats of shared memory that a reduction over a block needs.</summary>
    public const int SharedFloats = 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WarpSum(float value)
    {
        float sum = value + Ptx.ShuffleXor(value, 16);
        sum += Ptx.ShuffleXor(sum, 8);
        sum += Ptx.ShuffleXor(sum, 4);
        sum += Ptx.ShuffleXor(sum, 2);
        return sum + Ptx.ShuffleXor(sum, 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float WarpMax(float value)
    {
        float max = Ptx.Max(value, Ptx.ShuffleXor(value, 16));
        max = Ptx.Max(max, Ptx.ShuffleXor(max, 8));
        max = Ptx.Max(max, Ptx.ShuffleXor(max, 4));
        max = Ptx.Max(max, Ptx.ShuffleXor(max, 2));
        return Ptx.Max(max, Ptx.ShuffleXor(max, 1));
    }

    /// <summary>The sum over all threads; whole warps only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(float value, ArrayView<float> partial)
    {
        Exchange(WarpSum(value), partial);
        float sum = 0;
        for (int warp = 0; warp < Group.DimX / 32; warp++)
        {
            sum += partial[warp];
        }

        Group.Barrier();
        return sum;
    }

    /// <summary>The maximum over all threads; whole warps only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(float value, ArrayView<float> partial)
    {
        Exchange(WarpMax(value), partial);
        float max = partial[0];
        for (int warp = 1; warp < Group.DimX / 32; warp++)
        {
            max = Ptx.Max(max, partial[warp]);
        }

        Group.Barrier();
        return max;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Exchange(float value, ArrayView<float> partial)
    {
        if ((Group.IdxX & 31) == 0)
        {
            partial[Group.IdxX >> 5] = value;
        }

        Group.Barrier();
    }
}
