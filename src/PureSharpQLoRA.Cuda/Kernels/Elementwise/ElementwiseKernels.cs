using ILGPU;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Elementwise;

/// <summary>Sums of tensors, a pack a thread; results may replace operands. Grid: ceil(packs / 256).</summary>
internal static class ElementwiseKernels
{
    public const int Threads = 256;

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
