using ILGPU;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels;

/// <summary>Sets and converts elements.</summary>
internal static class FillKernels
{
    public const int Threads = 256;

    /// <summary>x[i] = value. Grid: ceil(count / 256).</summary>
    public static void Fill(ArrayView<float> x, int count, float value)
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < count)
        {
            x[i] = value;
        }
    }

    /// <summary>to[i] = from[i], rounded to nearest. Grid: ceil(count / 256).</summary>
    public static void Convert<TFrom, TTo>(ArrayView<TFrom> from, ArrayView<TTo> to, int count)
        where TFrom : unmanaged, IElement<TFrom>
        where TTo : unmanaged, IElement<TTo>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < count)
        {
            to[i] = TTo.FromFloat(TFrom.ToFloat(from[i]));
        }
    }
}
