using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Attention.General;

/// <summary>Blocks of fp32 sums side by side, 32 rows by 32 * Count columns, nested so that every loop over them unrolls.</summary>
internal interface IBlockRow<TSelf>
    where TSelf : struct, IBlockRow<TSelf>
{
    static abstract int Count { get; }

    /// <summary>sum += weights · rows. Every thread of the block must call it.</summary>
    /// <param name="sum">The sums.</param>
    /// <param name="weights">A <see cref="SharedBlock"/> with one step for each row; visible after the next barrier.</param>
    /// <param name="rows">What is summed.</param>
    /// <param name="firstRow">The first of the rows.</param>
    /// <param name="steps">How many rows.</param>
    /// <param name="firstColumn">The column of the rows that belongs to the first column of the sum.</param>
    /// <param name="isWanted">Whether this warp needs its rows of the sum.</param>
    /// <param name="scratch">Shared memory for a block.</param>
    static abstract TSelf MultiplyAdd<TElement>(
        TSelf sum, uint weights, HeadRows<TElement> rows, int firstRow, int steps, int firstColumn, bool isWanted, uint scratch)
        where TElement : unmanaged, IElement<TElement>;

    /// <summary>Multiplies this thread's four rows by a factor each.</summary>
    static abstract TSelf Scale(TSelf a, F4 factors);

    /// <summary>Stores the rows that exist from <paramref name="firstRow"/> on.</summary>
    static abstract void Store<TElement>(TSelf a, HeadRows<TElement> rows, int firstRow, int firstColumn)
        where TElement : unmanaged, IElement<TElement>;
}

/// <summary>One after the other.</summary>
internal struct JoinedBlocks<TLeft, TRight> : IBlockRow<JoinedBlocks<TLeft, TRight>>
    where TLeft : struct, IBlockRow<TLeft>
    where TRight : struct, IBlockRow<TRight>
{
    private TLeft _left;
    private TRight _right;

    public static int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLeft.Count + TRight.Count;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedBlocks<TLeft, TRight> MultiplyAdd<TElement>(
        JoinedBlocks<TLeft, TRight> sum, uint weights, HeadRows<TElement> rows, int firstRow, int steps, int firstColumn, bool isWanted, uint scratch)
        where TElement : unmanaged, IElement<TElement> => new()
        {
            _left = TLeft.MultiplyAdd(sum._left, weights, rows, firstRow, steps, firstColumn, isWanted, scratch),
            _right = TRight.MultiplyAdd(sum._right, weights, rows, firstRow, steps, firstColumn + Block.Size * TLeft.Count, isWanted, scratch),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedBlocks<TLeft, TRight> Scale(JoinedBlocks<TLeft, TRight> a, F4 factors) =>
        new() { _left = TLeft.Scale(a._left, factors), _right = TRight.Scale(a._right, factors) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TElement>(JoinedBlocks<TLeft, TRight> a, HeadRows<TElement> rows, int firstRow, int firstColumn)
        where TElement : unmanaged, IElement<TElement>
    {
        TLeft.Store(a._left, rows, firstRow, firstColumn);
        TRight.Store(a._right, rows, firstRow, firstColumn + Block.Size * TLeft.Count);
    }
}
