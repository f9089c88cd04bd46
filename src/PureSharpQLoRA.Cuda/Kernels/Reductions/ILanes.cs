using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Reductions;

/// <summary>Threads of a block that work on one row together: two sums over them in one fixed order, at once; each of them gets the result.</summary>
internal interface ILanes
{
    /// <summary>The sums of X and of Y.</summary>
    /// <param name="value">A thread's terms.</param>
    /// <param name="lanes">Threads of a row.</param>
    /// <param name="partial"><see cref="BlockLanes.SharedFloats"/> floats of shared memory.</param>
    static abstract F2 Sum(F2 value, int lanes, ArrayView<float> partial);
}

/// <summary>A part of a warp, whose size is a power of two: several rows a warp.</summary>
internal struct PartLanes : ILanes
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Sum(F2 value, int lanes, ArrayView<float> partial)
    {
        for (int mask = lanes >> 1; mask > 0; mask >>= 1)
        {
            value = new() { X = value.X + Ptx.ShuffleXor(value.X, mask), Y = value.Y + Ptx.ShuffleXor(value.Y, mask) };
        }

        return value;
    }
}

/// <summary>A whole block of up to 32 warps.</summary>
internal struct BlockLanes : ILanes
{
    public const int SharedFloats = 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F2 Sum(F2 value, int lanes, ArrayView<float> partial)
    {
        F2 own = new() { X = BlockReduction.WarpSum(value.X), Y = BlockReduction.WarpSum(value.Y) };
        if ((Group.IdxX & 31) == 0)
        {
            partial[Group.IdxX >> 5] = own.X;
            partial[32 + (Group.IdxX >> 5)] = own.Y;
        }

        Group.Barrier();
        F2 sum = default;
        for (int warp = 0; warp < Group.DimX / 32; warp++)
        {
            sum = new() { X = sum.X + partial[warp], Y = sum.Y + partial[32 + warp] };
        }

        Group.Barrier();
        return sum;
    }
}
