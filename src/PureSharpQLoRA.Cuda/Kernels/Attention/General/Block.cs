using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Attention.General;

/// <summary>
/// A thread's 4x4 part of the 32x32 fp32 sums that 64 threads own: rows 4(thread/8) and the next three, columns 4(thread%8) and the next three.
/// </summary>
internal struct Block : IBlockRow<Block>
{
    /// <summary>Rows and columns of the whole, and the threads that share it.</summary>
    public const int Size = 32, Threads = 64;

    public F4 R0, R1, R2, R3;

    /// <summary>The first of this thread's rows.</summary>
    public static int FirstRow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Group.IdxX >> 3 << 2;
    }

    /// <summary>The first of this thread's columns.</summary>
    public static int FirstColumn
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Group.IdxX & 7) << 2;
    }

    /// <summary>The first of the 16 rows of this thread's warp.</summary>
    public static int FirstWarpRow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Group.IdxX >> 5 << 4;
    }

    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block MultiplyAdd<TElement>(
        Block sum, uint weights, HeadRows<TElement> rows, int firstRow, int steps, int firstColumn, bool isWanted, uint scratch)
        where TElement : unmanaged, IElement<TElement>
    {
        Group.Barrier();
        HeadRows<TElement>.LoadRows(rows, firstRow, (steps + 3) & ~3, firstColumn, scratch);
        Group.Barrier();
        return isWanted ? SharedBlock.MultiplyAdd(sum, weights, scratch, steps) : sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Block Scale(Block a, F4 factors) => new()
    {
        R0 = Scale(a.R0, factors.X),
        R1 = Scale(a.R1, factors.Y),
        R2 = Scale(a.R2, factors.Z),
        R3 = Scale(a.R3, factors.W),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TElement>(Block a, HeadRows<TElement> rows, int firstRow, int firstColumn)
        where TElement : unmanaged, IElement<TElement>
    {
        int row = firstRow + FirstRow, column = firstColumn + FirstColumn;
        Store(a.R0, rows, row, column);
        Store(a.R1, rows, row + 1, column);
        Store(a.R2, rows, row + 2, column);
        Store(a.R3, rows, row + 3, column);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Scale(F4 row, float factor) => new() { X = row.X * factor, Y = row.Y * factor, Z = row.Z * factor, W = row.W * factor };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TElement>(F4 values, HeadRows<TElement> rows, int row, int column)
        where TElement : unmanaged, IElement<TElement>
    {
        if (row < rows.Rows)
        {
            HeadRows<TElement>.Store(rows, row, column, values.X);
            HeadRows<TElement>.Store(rows, row, column + 1, values.Y);
            HeadRows<TElement>.Store(rows, row, column + 2, values.Z);
            HeadRows<TElement>.Store(rows, row, column + 3, values.W);
        }
    }
}
