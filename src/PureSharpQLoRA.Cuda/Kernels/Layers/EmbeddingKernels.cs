using ILGPU;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Layers;

/// <summary>Rows of a table that ids name, and sums into them.</summary>
internal static class EmbeddingKernels
{
    /// <summary>Threads of a block that scatters.</summary>
    public const int ScatterThreads = 64;

    /// <summary>Blocks that share the rows of a table among them, by the remainder of the row's number.</summary>
    public const int Shares = 8;

    /// <summary>y[i, :] = table[ids[i], :], or NaN where there is no such row. Grid: tokens.</summary>
    public static void Gather<TTable, TTablePack, TStorage, TPack>(ArrayView<TTable> table, ArrayView<int> ids, ArrayView<TStorage> y, int tableRows, int rowPacks)
        where TTable : unmanaged
        where TTablePack : struct, IPack<TTable>
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int id = ids[Grid.IdxX];
        int from = id * rowPacks, to = Grid.IdxX * rowPacks;
        bool exists = (uint)id < (uint)tableRows;
        for (int i = Group.IdxX; i < rowPacks; i += Group.DimX)
        {
            TPack.Store(y, to + i, exists ? TTablePack.Load(table, from + i) : Eight.Of(float.NaN));
        }
    }

    /// <summary>
    /// dTable[ids[i], :] += dy[i, :] in the order of the tokens. A thread owns a pack of columns of the rows of its share and walks over all
    /// tokens. Grid: ceil(rowPacks / 64), 8.
    /// </summary>
    public static void ScatterAdd<TStorage, TPack>(ArrayView<TStorage> dy, ArrayView<int> ids, ArrayView<float> dTable, int tokens, int tableRows, int rowPacks)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int pack = Grid.IdxX * ScatterThreads + Group.IdxX;
        if (pack >= rowPacks)
        {
            return;
        }

        for (int token = 0; token < tokens; token++)
        {
            uint id = (uint)ids[token];
            if (id % Shares == (uint)Grid.IdxY && id < (uint)tableRows)
            {
                int to = (int)id * rowPacks + pack;
                TPack.StoreSingles(dTable, to, Eight.Add(TPack.LoadSingles(dTable, to), TPack.Load(dy, token * rowPacks + pack)));
            }
        }
    }
}
