using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Products;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda.Kernels.Dora;

/// <summary>
/// Norms of the rows of W + s B·A. A block takes eight rows; each of its threads walks over columns, for which it forms the eight elements of B·A
/// (one element of A, eight factors from shared memory, eight multiply-adds), adds the weight and sums the squares. W is read once; A, which is
/// small, once for every eight rows.
/// </summary>
internal static class AdaptedRowNormKernels
{
    /// <summary>The most threads of a block.</summary>
    public const int MaximumThreads = 256;

    /// <summary>Rows of a block.</summary>
    public const int Rows = 8;

    /// <summary>Rows of A whose factors lie in shared memory together.</summary>
    public const int MaximumRank = 512;

    private const int LevelChunks = 4;

    /// <summary>norms[n] = ||W[n, :] + scale * (B·A)[n, :]||. Grid: ceil(outputs / 8).</summary>
    /// <param name="weight">[outputs, inputs].</param>
    /// <param name="maxima">The maxima of NF4's blocks; empty for dense weights.</param>
    /// <param name="a">[rank, inputs].</param>
    /// <param name="b">[outputs, rank].</param>
    /// <param name="norms">[outputs].</param>
    /// <param name="outputs">Rows of the weight.</param>
    /// <param name="inputs">Columns of the weight.</param>
    /// <param name="rank">Rows of A, at most <see cref="MaximumRank"/>.</param>
    /// <param name="scale">Factor of the adapter.</param>
    public static void Run<TStorage, TReader>(
        ArrayView<TStorage> weight, ArrayView<float> maxima, ArrayView<float> a, ArrayView<float> b, ArrayView<float> norms,
        int outputs, int inputs, int rank, float scale)
        where TStorage : unmanaged
        where TReader : struct, IMatrixReader<TStorage>
    {
        ArrayView<float> factors = SharedMemory.Allocate<float>(Rows * MaximumRank);
        uint levels = Ptx.SharedAddress(ref SharedMemory.Allocate<U4>(LevelChunks)[0]);
        ArrayView<float> sums = SharedMemory.Allocate<float>(Rows * MaximumThreads / 32);
        int thread = Group.IdxX, row = Grid.IdxX * Rows, rows = outputs - row < Rows ? outputs - row : Rows;
        TReader.Prepare(levels);
        // factors[k, r] = scale * B[row + r, k], zero past the last row.
        for (int i = thread; i < rank * Rows; i += Group.DimX)
        {
            int r = i / rank;
            factors[(i - r * rank) * Rows + r] = r < rows ? b[row * rank + i] * scale : 0f;
        }

        Group.Barrier();
        Eight sum = default;
        for (int column = thread; column < inputs; column += Group.DimX)
        {
            Eight update = default;
            for (int k = 0; k < rank; k++)
            {
                float value = a[k * inputs + column];
                int at = k * Rows;
                update.A = new()
                {
                    X = factors[at] * value + update.A.X,
                    Y = factors[at + 1] * value + update.A.Y,
                    Z = factors[at + 2] * value + update.A.Z,
                    W = factors[at + 3] * value + update.A.W,
                };
                update.B = new()
                {
                    X = factors[at + 4] * value + update.B.X,
                    Y = factors[at + 5] * value + update.B.Y,
                    Z = factors[at + 6] * value + update.B.Z,
                    W = factors[at + 7] * value + update.B.W,
                };
            }

            int first = row * inputs + column;
            Eight element = default;
            element.A = new()
            {
                X = TReader.Read(weight, maxima, levels, (uint)first),
                Y = rows > 1 ? TReader.Read(weight, maxima, levels, (uint)(first + inputs)) : 0f,
                Z = rows > 2 ? TReader.Read(weight, maxima, levels, (uint)(first + 2 * inputs)) : 0f,
                W = rows > 3 ? TReader.Read(weight, maxima, levels, (uint)(first + 3 * inputs)) : 0f,
            };
            element.B = new()
            {
                X = rows > 4 ? TReader.Read(weight, maxima, levels, (uint)(first + 4 * inputs)) : 0f,
                Y = rows > 5 ? TReader.Read(weight, maxima, levels, (uint)(first + 5 * inputs)) : 0f,
                Z = rows > 6 ? TReader.Read(weight, maxima, levels, (uint)(first + 6 * inputs)) : 0f,
                W = rows > 7 ? TReader.Read(weight, maxima, levels, (uint)(first + 7 * inputs)) : 0f,
            };
            element = Eight.Add(element, update);
            sum = Eight.Add(sum, Eight.Multiply(element, element));
        }

        WriteSums(sum, sums);
        Group.Barrier();
        if (thread < rows)
        {
            float total = 0;
            for (int warp = 0; warp < Group.DimX / 32; warp++)
            {
                total += sums[warp * Rows + thread];
            }

            norms[row + thread] = Ptx.SquareRoot(total);
        }
    }

    private static void WriteSums(Eight sum, ArrayView<float> sums)
    {
        float s0 = BlockReduction.WarpSum(sum.A.X), s1 = BlockReduction.WarpSum(sum.A.Y), s2 = BlockReduction.WarpSum(sum.A.Z), s3 = BlockReduction.WarpSum(sum.A.W);
        float s4 = BlockReduction.WarpSum(sum.B.X), s5 = BlockReduction.WarpSum(sum.B.Y), s6 = BlockReduction.WarpSum(sum.B.Z), s7 = BlockReduction.WarpSum(sum.B.W);
        if ((Group.IdxX & 31) == 0)
        {
            int at = (Group.IdxX >> 5) * Rows;
            sums[at] = s0;
            sums[at + 1] = s1;
            sums[at + 2] = s2;
            sums[at + 3] = s3;
            sums[at + 4] = s4;
            sums[at + 5] = s5;
            sums[at + 6] = s6;
            sums[at + 7] = s7;
        }
    }
}
