using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda.Kernels.Layers;

/// <summary>
/// Root-mean-square normalisation of rows of any length at any address, with fp32 statistics: a warp a row, which it reads twice.
/// Grid: ceil(rows / 4).
/// </summary>
internal static class RmsNormKernels
{
    /// <summary>Rows of a block.</summary>
    public const int Rows = 4;

    public const int Threads = 32 * Rows;

    /// <summary>The backward pass writes nothing but the inverse root mean squares.</summary>
    public const int NoGradient = 0;

    /// <summary>The backward pass overwrites dx.</summary>
    public const int Overwrite = 1;

    /// <summary>The backward pass adds to dx.</summary>
    public const int Accumulate = 2;

    /// <summary>y = x * r * weight, with r = 1 / sqrt(mean(x²) + epsilon).</summary>
    public static void Forward<T>(ArrayView<T> x, ArrayView<float> weight, ArrayView<T> y, int rows, int size, float epsilon)
        where T : unmanaged, IElement<T>
    {
        int row = Grid.IdxX * Rows + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
        {
            return;
        }

        int start = row * size;
        float sum = 0;
        for (int i = lane; i < size; i += 32)
        {
            float value = T.ToFloat(x[start + i]);
            sum += value * value;
        }

        float inverse = Inverse(BlockReduction.WarpSum(sum), size, epsilon);
        for (int i = lane; i < size; i += 32)
        {
            y[start + i] = T.FromFloat(T.ToFloat(x[start + i]) * inverse * weight[i]);
        }
    }

    /// <summary>dx (+)= r g - x r³ mean(g x), with g = dy * weight.</summary>
    /// <param name="x">[rows, size].</param>
    /// <param name="weight">[size].</param>
    /// <param name="dy">[rows, size].</param>
    /// <param name="dx">[rows, size].</param>
    /// <param name="inverses">r of each row [rows], for the gradient of the weight; empty where that is not wanted.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="size">Elements of a row.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    /// <param name="mode">What becomes of dx: <see cref="NoGradient"/>, <see cref="Overwrite"/> or <see cref="Accumulate"/>.</param>
    /// <param name="keepInverses">1 to write <paramref name="inverses"/>.</param>
    public static void Backward<T>(
        ArrayView<T> x, ArrayView<float> weight, ArrayView<T> dy, ArrayView<T> dx, ArrayView<float> inverses,
        int rows, int size, float epsilon, int mode, int keepInverses)
        where T : unmanaged, IElement<T>
    {
        int row = Grid.IdxX * Rows + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
        {
            return;
        }

        int start = row * size;
        float sum = 0, dot = 0;
        for (int i = lane; i < size; i += 32)
        {
            float value = T.ToFloat(x[start + i]);
            sum += value * value;
            dot += T.ToFloat(dy[start + i]) * weight[i] * value;
        }

        float inverse = Inverse(BlockReduction.WarpSum(sum), size, epsilon);
        if (keepInverses != 0 && lane == 0)
        {
            inverses[row] = inverse;
        }

        if (mode == NoGradient)
        {
            return;
        }

        float coefficient = Ptx.Divide(-BlockReduction.WarpSum(dot) * inverse * inverse * inverse, size);
        for (int i = lane; i < size; i += 32)
        {
            float gradient = T.ToFloat(dy[start + i]) * weight[i] * inverse + T.ToFloat(x[start + i]) * coefficient;
            if (mode == Accumulate)
            {
                gradient += T.ToFloat(dx[start + i]);
            }

            dx[start + i] = T.FromFloat(gradient);
        }
    }

    /// <summary>1 / sqrt(sum / size + epsilon).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Inverse(float sum, int size, float epsilon) => Ptx.Divide(1, Ptx.SquareRoot(Ptx.Divide(sum, size) + epsilon));
}
