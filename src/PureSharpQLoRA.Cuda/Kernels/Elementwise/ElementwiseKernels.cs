using ILGPU;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Elementwise;

/// <summary>Constants, conversions and sums, a pack a thread; results may replace operands. Grid: ceil(packs / 256).</summary>
internal static class ElementwiseKernels
{
    public const int Threads = 256;

    /// <summary>x = value, rounded to nearest.</summary>
    public static void Fill<TStorage, TPack>(ArrayView<TStorage> x, int packs, float value)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < packs)
        {
            TPack.Store(x, i, Eight.Of(value));
        }
    }

    /// <summary>to[i] = from[i], rounded to nearest: element by element, so that the lanes of a warp lie together in both types.</summary>
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

    /// <summary>y = a + b.</summary>
    public static void Add<TStorage, TPack>(ArrayView<TStorage> a, ArrayView<TStorage> b, ArrayView<TStorage> y, int packs)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < packs)
        {
            TPack.Store(y, i, Eight.Add(TPack.Load(a, i), TPack.Load(b, i)));
        }
    }

    /// <summary>y += scale * x.</summary>
    public static void AddScaled<TStorage, TPack>(ArrayView<TStorage> x, ArrayView<TStorage> y, int packs, float scale)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < packs)
        {
            TPack.Store(y, i, Eight.ScaleAdd(TPack.Load(x, i), scale, TPack.Load(y, i)));
        }
    }
}
