using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Attention.General;

/// <summary>
/// A 32x32 block of floats in shared memory as an operand of a product: 32 steps of the summed dimension, each with 32 rows or columns in
/// groups of four. Group g of step k lies at g ^ (k / 4), so that neither the product nor what writes the block meets a bank conflict.
/// </summary>
internal static class SharedBlock
{
    /// <summary>Its size.</summary>
    public const int Bytes = 4096, Chunks = Bytes / 16;

    private const uint StepBytes = 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Place(uint block, int step, int group) => block + (uint)step * StepBytes + ((uint)(group ^ step >> 2) & 7) * 16;

    /// <summary>Stores sums with their columns as steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreColumns(Block a, uint target)
    {
        uint place = Place(target, Block.FirstColumn, Block.FirstRow >> 2);
        Ptx.StoreShared(place, new F4 { X = a.R0.X, Y = a.R1.X, Z = a.R2.X, W = a.R3.X });
        Ptx.StoreShared(place + StepBytes, new F4 { X = a.R0.Y, Y = a.R1.Y, Z = a.R2.Y, W = a.R3.Y });
        Ptx.StoreShared(place + 2 * StepBytes, new F4 { X = a.R0.Z, Y = a.R1.Z, Z = a.R2.Z, W = a.R3.Z });
        Ptx.StoreShared(place + 3 * StepBytes, new F4 { X = a.R0.W, Y = a.R1.W, Z = a.R2.W, W = a.R3.W });
    }

    /// <summary>sum += left · right over the first <paramref name="steps"/> steps, rounded up to a multiple of four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block MultiplyAdd(Block sum, uint left, uint right, int steps)
    {
        int row = Block.FirstRow >> 2, column = Block.FirstColumn >> 2;
        for (int step = 0; step < steps; step += 4)
        {
            uint a = Place(left, step, row), b = Place(right, step, column);
            sum = MultiplyAdd(sum, a, b);
            sum = MultiplyAdd(sum, a + StepBytes, b + StepBytes);
            sum = MultiplyAdd(sum, a + 2 * StepBytes, b + 2 * StepBytes);
            sum = MultiplyAdd(sum, a + 3 * StepBytes, b + 3 * StepBytes);
        }

        return sum;
    }

    /// <summary>
    /// The products of 32 rows of one matrix with 32 rows of another. Every thread of the block must call it; warps whose rows do not exist
    /// get zeros.
    /// </summary>
    /// <param name="leftRows">The rows of the result.</param>
    /// <param name="firstLeft">The first of them.</param>
    /// <param name="rightRows">The columns of the result.</param>
    /// <param name="firstRight">The first of them.</param>
    /// <param name="isWanted">Whether this warp needs its rows.</param>
    /// <param name="left">Shared memory for a block.</param>
    /// <param name="right">The same.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block ProductOfRows<TElement>(
        HeadRows<TElement> leftRows, int firstLeft, HeadRows<TElement> rightRows, int firstRight, bool isWanted, uint left, uint right)
        where TElement : unmanaged, IElement<TElement>
    {
        Block sum = default;
        for (int column = 0; column < leftRows.Size; column += Block.Size)
        {
            Group.Barrier();
            HeadRows<TElement>.LoadColumns(leftRows, firstLeft, column, left);
            HeadRows<TElement>.LoadColumns(rightRows, firstRight, column, right);
            Group.Barrier();
            if (isWanted)
            {
                sum = MultiplyAdd(sum, left, right, Math.Min(Block.Size, leftRows.Size - column));
            }
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Block MultiplyAdd(Block sum, uint left, uint right)
    {
        F4 a = Ptx.LoadSharedFloats(left), b = Ptx.LoadSharedFloats(right);
        return new() { R0 = MultiplyAdd(a.X, b, sum.R0), R1 = MultiplyAdd(a.Y, b, sum.R1), R2 = MultiplyAdd(a.Z, b, sum.R2), R3 = MultiplyAdd(a.W, b, sum.R3) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 MultiplyAdd(float a, F4 b, F4 c) => new() { X = a * b.X + c.X, Y = a * b.Y + c.Y, Z = a * b.Z + c.Z, W = a * b.W + c.W };
}
