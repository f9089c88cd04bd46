using PureSharpQLoRA.Cuda.Kernels.Layers;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda;

/// <summary>How the threads of a block share rows that they hold in registers.</summary>
/// <param name="Threads">Threads of a block.</param>
/// <param name="Lanes">Threads of a row.</param>
/// <param name="Row">The <see cref="IHeldRow{TSelf}"/>.</param>
/// <param name="Reduction">The <see cref="ILanes"/>.</param>
internal readonly record struct HeldRows(int Threads, int Lanes, Type Row, Type Reduction)
{
    private const int WarpLanes = 32, FewThreads = 256, ManyThreads = 512;

    /// <summary>By packs a thread; more would need registers that two blocks a multiprocessor do not have.</summary>
    private static readonly Type[] Rows =
    [
        typeof(HeldPack),
        typeof(JoinedRow<HeldPack, HeldPack>),
        typeof(JoinedRow<HeldPack, JoinedRow<HeldPack, HeldPack>>),
        typeof(JoinedRow<JoinedRow<HeldPack, HeldPack>, JoinedRow<HeldPack, HeldPack>>),
    ];

    /// <summary>The longest row, in packs.</summary>
    public static int LongestRow => ManyThreads * Rows.Length;

    /// <summary>Rows that a block works on at a time.</summary>
    public int Together => Threads / Lanes;

    /// <summary>For rows of at most <see cref="LongestRow"/> packs: a part of a warp each, or a block with one or two packs a thread, or a larger block.</summary>
    public static HeldRows For(int rowPacks)
    {
        if (rowPacks <= WarpLanes)
        {
            int lanes = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)rowPacks);
            return new HeldRows(FewThreads, lanes, Rows[0], typeof(PartLanes));
        }

        int most = rowPacks > 2 * FewThreads ? ManyThreads : FewThreads, packs = (rowPacks + most - 1) / most;
        int threads = ((rowPacks + packs - 1) / packs + WarpLanes - 1) / WarpLanes * WarpLanes;
        return new HeldRows(threads, threads, Rows[packs - 1], typeof(BlockLanes));
    }
}
