using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Dora;

/// <summary>
/// Operations with a factor or a sum for each column. A thread owns a pack of columns and walks down a part of the rows, so that what belongs to
/// the columns is read once for many rows, and the sums have one order.
/// </summary>
internal static class ColumnFactorKernels
{
    public const int Threads = 64;

    /// <summary>y[i, n] = x[i, n] * numerator[n] / denominator[n]; y may be x. Grid: ceil(rowPacks / 64), ceil(rows / partRows).</summary>
    public static void Scale<TStorage, TPack>(
        ArrayView<TStorage> x, ArrayView<float> numerator, ArrayView<float> denominator, ArrayView<TStorage> y, int rows, int rowPacks, int partRows)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int pack = Grid.IdxX * Threads + Group.IdxX;
        if (pack >= rowPacks)
        {
            return;
        }

        Eight factor = Eight.Divide(TPack.LoadSingles(numerator, pack), TPack.LoadSingles(denominator, pack));
        int row = Grid.IdxY * partRows, end = row + partRows < rows ? row + partRows : rows;
        for (int at = row * rowPacks + pack; row < end; row++, at += rowPacks)
        {
            TPack.Store(y, at, Eight.Multiply(TPack.Load(x, at), factor));
        }
    }

    /// <summary>
    /// partial[part, n] = the sum over the part's rows of x[i, n] * y[i, n] * rowFactors[i]. Grid: ceil(rowPacks / 64), ceil(rows / partRows).
    /// </summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="y">[rows, width].</param>
    /// <param name="rowFactors">[rows], read if <paramref name="hasRowFactors"/> is 1.</param>
    /// <param name="partial">[parts, width].</param>
    /// <param name="rows">Rows.</param>
    /// <param name="rowPacks">Packs of a row.</param>
    /// <param name="partRows">Rows of a part.</param>
    /// <param name="hasRowFactors">Whether rows have factors.</param>
    public static void Dots<TStorage, TPack>(
        ArrayView<TStorage> x, ArrayView<TStorage> y, ArrayView<float> rowFactors, ArrayView<float> partial,
        int rows, int rowPacks, int partRows, int hasRowFactors)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int pack = Grid.IdxX * Threads + Group.IdxX;
        if (pack >= rowPacks)
        {
            return;
        }

        Eight sum = default;
        int row = Grid.IdxY * partRows, end = row + partRows < rows ? row + partRows : rows;
        for (int at = row * rowPacks + pack; row < end; row++, at += rowPacks)
        {
            float factor = hasRowFactors != 0 ? rowFactors[row] : 1f;
            sum = Eight.ScaleAdd(Eight.Multiply(TPack.Load(x, at), TPack.Load(y, at)), factor, sum);
        }

        TPack.StoreSingles(partial, Grid.IdxY * rowPacks + pack, sum);
    }

    /// <summary>result[n] (+)= (sum over parts of partial[part, n]) / denominator[n]. Grid: ceil(width / 64).</summary>
    public static void AddQuotients(ArrayView<float> partial, ArrayView<float> denominator, ArrayView<float> result, int parts, int width, int accumulate)
    {
        int column = Grid.IdxX * Threads + Group.IdxX;
        if (column >= width)
        {
            return;
        }

        float sum = 0;
        for (int part = 0; part < parts; part++)
        {
            sum += partial[part * width + column];
        }

        sum = Ptx.Divide(sum, denominator[column]);
        result[column] = accumulate != 0 ? result[column] + sum : sum;
    }
}
