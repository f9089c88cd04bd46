using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>Rounds accumulators into a tile of shared memory.</summary>
internal struct TileWriter<TCore, TLayout> : ITileFold<TileWriter<TCore, TLayout>>
    where TCore : struct, ITensorCore
    where TLayout : struct, ITileLayout
{
    /// <summary>Address of the lane's first row, the bytes to the row eight below, the lane's place and its byte in a chunk.</summary>
    public uint Row, EightRows, Lane, Byte;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TileWriter<TCore, TLayout> Create(uint tile, uint stride, int lane)
    {
        uint row = (uint)lane >> 2;
        return new() { Row = tile + row * stride, EightRows = 8 * stride, Lane = TLayout.Lane(row, 0), Byte = ((uint)lane & 3) * 4 };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TileWriter<TCore, TLayout> Add(TileWriter<TCore, TLayout> state, Tile tile, int column)
    {
        uint left = TLayout.At(state.Row, state.Lane, (uint)column * 2) + state.Byte;
        uint right = TLayout.At(state.Row, state.Lane, (uint)column * 2 + 16) + state.Byte;
        Ptx.StoreShared(left, TCore.Pack(tile.Left.X, tile.Left.Y));
        Ptx.StoreShared(left + state.EightRows, TCore.Pack(tile.Left.Z, tile.Left.W));
        Ptx.StoreShared(right, TCore.Pack(tile.Right.X, tile.Right.Y));
        Ptx.StoreShared(right + state.EightRows, TCore.Pack(tile.Right.Z, tile.Right.W));
        return state;
    }
}

/// <summary>Where a warp's 16 finished rows go: through shared memory of its own to a head of a matrix [tokens, heads * size].</summary>
internal struct OutputTile
{
    /// <summary>Chunk of 16 bytes where the document's first row begins in the matrix, and chunks from row to row.</summary>
    public int First, Stride;

    /// <summary>The warp's first row, and the rows of the document: later ones are left out.</summary>
    public int FirstRow, Rows;

    /// <summary>Shared memory of 16 rows that no other warp uses, and bytes from row to row.</summary>
    public uint Tile, TileStride;

    /// <summary>Stores accumulators, sixteen bytes a lane. The warp's shared memory is overwritten.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TCore, TLayout, TSum>(OutputTile place, TSum sum, ArrayView<U4> target)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout
        where TSum : struct, IAccumulators<TSum>
    {
        int lane = Group.IdxX & 31, rowChunks = 2 * TSum.Tiles;
        TSum.Fold(sum, TileWriter<TCore, TLayout>.Create(place.Tile, place.TileStride, lane), 0);
        Ptx.WarpBarrier();
        for (int i = lane; i < 16 * rowChunks; i += 32)
        {
            int row = (int)SmallNumber.Divide((uint)i, (uint)rowChunks), chunk = i - row * rowChunks;
            U4 value = Ptx.LoadShared16(place.Tile + TLayout.Chunk((uint)row, (uint)chunk, place.TileStride));
            if (place.FirstRow + row < place.Rows)
            {
                Ptx.StoreGlobal(ref target[place.First + (place.FirstRow + row) * place.Stride + chunk], value);
            }
        }
    }
}
