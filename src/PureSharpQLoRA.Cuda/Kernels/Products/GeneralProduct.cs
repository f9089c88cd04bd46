using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>The sizes of a product, and what is done with it.</summary>
internal struct ProductSizes
{
    /// <summary>Of the result.</summary>
    public int Rows, Columns;

    /// <summary>Steps of the main reduction and of the second term, 0 for none.</summary>
    public int Reduction, Rank;

    /// <summary>Steps of the main reduction that one layer of the grid takes.</summary>
    public int StepsPerLayer;

    /// <summary>1 to add to what is in the result.</summary>
    public int Accumulate;

    /// <summary>Factor on the main product.</summary>
    public float Scale;
}

/// <summary>
/// y (+)= scale * left·right + low·factor for any sizes, alignment and storage, in fp32: tiles of 32x32, 64 threads of 4x4, 16 steps of the reduction at
/// a time through shared memory. 288 of about 430 instructions a thread and tile are loads of four floats and multiply-adds.
/// Grid: (rows / 32, columns / 32, layers), rounded up; each layer takes a range of the reduction and writes a result of its own.
/// </summary>
internal static class GeneralProduct<TLeftLayout, TRightLayout>
    where TLeftLayout : struct, IOperandLayout
    where TRightLayout : struct, IOperandLayout
{
    /// <param name="left">[rows, reduction], or [reduction, rows] where the layout says so.</param>
    /// <param name="right">[columns, reduction] or [reduction, columns].</param>
    /// <param name="maxima">Of the right operand, where it is NF4.</param>
    /// <param name="low">[rows, rank], laid out as the left operand.</param>
    /// <param name="factor">[columns, rank] or [rank, columns], laid out as the right operand.</param>
    /// <param name="y">[layers, rows, columns].</param>
    /// <param name="sizes">The rest.</param>
    public static void Multiply<TLeft, TRight, TRightStorage, TResult>(
        ArrayView<TLeft> left, ArrayView<TRightStorage> right, ArrayView<float> maxima, ArrayView<TLeft> low, ArrayView<SingleElement> factor,
        ArrayView<TResult> y, ProductSizes sizes)
        where TLeft : unmanaged, IElement<TLeft>
        where TRight : struct, IMatrixReader<TRightStorage>
        where TRightStorage : unmanaged
        where TResult : unmanaged, IElement<TResult>
    {
        ArrayView<U4> memory = SharedMemory.Allocate<U4>(2 * ProductTile.Chunks + 4);
        uint leftTile = Ptx.SharedAddress(ref memory[0]), rightTile = leftTile + ProductTile.Steps * ProductTile.StepBytes;
        uint levels = rightTile + ProductTile.Steps * ProductTile.StepBytes;
        TRight.Prepare(levels);
        var rows = new TileRange { FirstLine = Grid.IdxX * ProductTile.Lines, Lines = sizes.Rows, Length = sizes.Reduction };
        var columns = new TileRange { FirstLine = Grid.IdxY * ProductTile.Lines, Lines = sizes.Columns, Length = sizes.Reduction, Interleaved = true };
        int first = Grid.IdxZ * sizes.StepsPerLayer, end = IntrinsicMath.Min(first + sizes.StepsPerLayer, sizes.Reduction);
        ProductTile c = Sum<TLeft, TRight, TRightStorage>(default, left, right, maxima, levels, leftTile, rightTile, rows, columns, first, end);
        c = ProductTile.Scale(c, sizes.Scale);
        rows.Length = sizes.Rank;
        columns.Length = sizes.Rank;
        c = Sum<TLeft, DenseReader<SingleElement>, SingleElement>(c, low, factor, maxima, levels, leftTile, rightTile, rows, columns, 0, sizes.Rank);

        int row = rows.FirstLine + (Group.IdxX >> 3) * 4, column = columns.FirstLine + (Group.IdxX & 7);
        StoreRow(y, c.R0, row, column, sizes);
        StoreRow(y, c.R1, row + 1, column, sizes);
        StoreRow(y, c.R2, row + 2, column, sizes);
        StoreRow(y, c.R3, row + 3, column, sizes);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ProductTile Sum<TLeft, TRight, TRightStorage>(
        ProductTile c, ArrayView<TLeft> left, ArrayView<TRightStorage> right, ArrayView<float> maxima, uint levels, uint leftTile, uint rightTile,
        TileRange rows, TileRange columns, int first, int end)
        where TLeft : unmanaged, IElement<TLeft>
        where TRight : struct, IMatrixReader<TRightStorage>
        where TRightStorage : unmanaged
    {
        // A warp has 16 of the rows: the second one may have none.
        bool needed = rows.FirstLine + (Group.IdxX >> 5) * 16 < rows.Lines;
        uint leftRow = leftTile + (uint)(Group.IdxX >> 3) * 16, rightColumn = rightTile + (uint)(Group.IdxX & 7) * 16;
        rows.End = end;
        columns.End = end;
        for (int step = first; step < end; step += ProductTile.Steps)
        {
            Group.Barrier();
            rows.First = step;
            columns.First = step;
            TLeftLayout.Fill<DenseReader<TLeft>, TLeft>(left, maxima, levels, leftTile, rows);
            TRightLayout.Fill<TRight, TRightStorage>(right, maxima, levels, rightTile, columns);
            Group.Barrier();
            if (needed)
            {
                uint tileEnd = (uint)(IntrinsicMath.Min(end - step, ProductTile.Steps) + 3 >> 2) * (4 * ProductTile.StepBytes);
                for (uint offset = 0; offset < tileEnd; offset += 4 * ProductTile.StepBytes)
                {
                    c = ProductTile.MultiplyAdd(c, leftRow + offset, rightColumn + offset);
                }
            }
        }

        return c;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow<TResult>(ArrayView<TResult> y, F4 values, int row, int column, ProductSizes sizes)
        where TResult : unmanaged, IElement<TResult>
    {
        if (row < sizes.Rows)
        {
            int at = (Grid.IdxZ * sizes.Rows + row) * sizes.Columns + column;
            Store(y, values.X, at, column, sizes);
            Store(y, values.Y, at + 8, column + 8, sizes);
            Store(y, values.Z, at + 16, column + 16, sizes);
            Store(y, values.W, at + 24, column + 24, sizes);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TResult>(ArrayView<TResult> y, float value, int at, int column, ProductSizes sizes)
        where TResult : unmanaged, IElement<TResult>
    {
        if (column < sizes.Columns)
        {
            float sum = value;
            if (sizes.Accumulate != 0)
            {
                sum += TResult.ToFloat(y[at]);
            }

            y[at] = TResult.FromFloat(sum);
        }
    }
}
