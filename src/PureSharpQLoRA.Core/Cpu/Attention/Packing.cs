using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>Copies between rows of the layer's activations and dense rows, whose width is padded with zeros to whole vectors.</summary>
internal static unsafe class Packing
{
    public const int RowUnit = 16;

    public static int RoundUp(int count, int unit) => (count + unit - 1) / unit * unit;

    /// <summary>to[row][0..padded) = factor * from[row][0..size), and zeros for the rows up to <paramref name="paddedRows"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack(float* from, nint stride, int rows, int size, float factor, float* to, int padded, int paddedRows)
    {
        for (int row = 0; row < rows; row++, from += stride, to += padded)
        {
            for (int d = 0; d < padded; d += VectorParts.Lanes)
            {
                (VectorParts.Load(from + d, size - d) * factor).Store(to + d);
            }
        }

        new Span<float>(to, (paddedRows - rows) * padded).Clear();
    }

    /// <summary>to[row][0..size) = factors[row * factorStep] * from[row][0..size), or adds that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Unpack(float* from, int padded, int rows, int size, float* factors, int factorStep, bool add, float* to, nint stride)
    {
        for (int row = 0; row < rows; row++, from += padded, to += stride, factors += factorStep)
        {
            for (int d = 0; d < size; d += VectorParts.Lanes)
            {
                Vector512<float> value = Vector512.Load(from + d) * *factors;
                VectorParts.Store(add ? value + VectorParts.Load(to + d, size - d) : value, to + d, size - d);
            }
        }
    }

    /// <summary>Sum over d of a[d] * b[d].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(float* a, float* b, int size)
    {
        Vector512<float> sum = default;
        int d = 0;
        for (; d <= size - VectorParts.Lanes; d += VectorParts.Lanes)
        {
            sum = Vector512.MultiplyAddEstimate(Vector512.Load(a + d), Vector512.Load(b + d), sum);
        }

        float result = Vector512.Sum(sum);
        for (; d < size; d++)
        {
            result += a[d] * b[d];
        }

        return result;
    }
}
