using ILGPU;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>Bias, column sums, and the second pass of results that were summed in parts.</summary>
internal static class ColumnKernels
{
    public const int Threads = 256;

    /// <summary>Columns that a block of <see cref="SumRows"/> takes; its threads stand in 8 rows of them.</summary>
    public const int SumColumns = 32;

    private const int SumLanes = Threads / SumColumns;

    /// <summary>y[i, n] += bias[n]. Grid: (packs of a row / 256 rounded up, any number of rows).</summary>
    public static void AddBias<TStorage, TPack>(ArrayView<TStorage> y, ArrayView<float> bias, int rows, int rowPacks)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int pack = Grid.IdxX * Threads + Group.IdxX;
        if (pack < rowPacks)
        {
            Eight value = TPack.LoadSingles(bias, pack);
            for (int row = Grid.IdxY; row < rows; row += Grid.DimY)
            {
                int at = row * rowPacks + pack;
                TPack.Store(y, at, Eight.Add(TPack.Load(y, at), value));
            }
        }
    }

    /// <summary>
    /// parts[part, n] = the sum over the part's rows of x[i, n]: each of eight threads a column takes every eighth row, and their sums are added in order.
    /// Grid: (width / 32 rounded up, parts).
    /// </summary>
    public static void SumRows<T>(ArrayView<T> x, ArrayView<float> parts, int rows, int width, int rowsPerPart)
        where T : unmanaged, IElement<T>
    {
        ArrayView<float> sums = SharedMemory.Allocate<float>(Threads);
        int lane = Group.IdxX / SumColumns, column = Grid.IdxX * SumColumns + Group.IdxX % SumColumns;
        int first = Grid.IdxY * rowsPerPart, end = IntrinsicMath.Min(first + rowsPerPart, rows);
        float sum = 0;
        if (column < width)
        {
            for (int row = first + lane; row < end; row += SumLanes)
            {
                sum += T.ToFloat(x[row * width + column]);
            }
        }

        sums[Group.IdxX] = sum;
        Group.Barrier();
        if (lane == 0 && column < width)
        {
            float total = 0;
            for (int i = 0; i < SumLanes; i++)
            {
                total += sums[i * SumColumns + Group.IdxX];
            }

            parts[Grid.IdxY * width + column] = total;
        }
    }

    /// <summary>y[i] (+)= scale * (parts[0, i] + parts[1, i] + ...). Grid: count / 256 rounded up.</summary>
    public static void SumParts<T>(ArrayView<float> parts, ArrayView<T> y, int count, int partCount, float scale, int accumulate)
        where T : unmanaged, IElement<T>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < count)
        {
            float sum = 0;
            for (int part = 0; part < partCount; part++)
            {
                sum += parts[part * count + i];
            }

            sum *= scale;
            if (accumulate != 0)
            {
                sum += T.ToFloat(y[i]);
            }

            y[i] = T.FromFloat(sum);
        }
    }
}
