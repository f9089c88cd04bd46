using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>The rows of a document in one head of a matrix [tokens, heads * size] of 16-bit elements, to be copied tile after tile to shared memory.</summary>
internal struct TileSource
{
    public ArrayView<U4> Data;

    /// <summary>Chunk of 16 bytes where the head's first row begins, and chunks from token to token.</summary>
    public int First, TokenStride;

    /// <summary>The last row that may be read; later rows of a tile repeat it.</summary>
    public int LastRow;

    /// <summary>Byte address of the tile, and bytes from row to row.</summary>
    public uint Tile, TileStride;

    /// <summary>Thread number in the block and threads in it, chunks in a row and in the tile.</summary>
    public uint Thread, Threads, RowChunks, TileChunks;

    /// <summary>Row, chunk and shared address of this thread's first step.</summary>
    public uint FirstRow, FirstChunk, FirstAddress;

    /// <summary>The source of a tile.</summary>
    /// <param name="data">The matrix.</param>
    /// <param name="start">The document's first row in it.</param>
    /// <param name="rows">The document's rows.</param>
    /// <param name="head">The head.</param>
    /// <param name="heads">Heads in a row of the matrix.</param>
    /// <param name="tile">Shared memory of the tile.</param>
    /// <param name="tileRows">Rows of the tile.</param>
    /// <param name="size">16-column tiles in a head.</param>
    /// <param name="threads">Threads in the block.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TileSource Of<TLayout>(ArrayView<U4> data, int start, int rows, int head, int heads, uint tile, int tileRows, int size, int threads)
        where TLayout : struct, ITileLayout
    {
        uint thread = (uint)Group.IdxX, rowChunks = 2 * (uint)size, row = SmallNumber.Divide(thread, rowChunks), chunk = thread - row * rowChunks;
        uint stride = TLayout.Stride(16 * rowChunks);
        return new()
        {
            Data = data,
            TokenStride = Ptx.Pin(heads * 2 * size),
            First = Ptx.Pin((start * heads + head) * 2 * size),
            LastRow = Ptx.Pin(rows - 1),
            Tile = tile,
            TileStride = stride,
            Thread = thread,
            Threads = (uint)threads,
            RowChunks = rowChunks,
            TileChunks = (uint)tileRows * rowChunks,
            FirstRow = Ptx.Pin(row),
            FirstChunk = Ptx.Pin(chunk),
            FirstAddress = Ptx.Pin(tile + TLayout.Chunk(row, chunk, stride)),
        };
    }

    /// <summary>The same rows of another matrix of the same shape, with a tile <paramref name="bytes"/> further on; needs no registers but for the matrix.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TileSource Beside(TileSource s, ArrayView<U4> data, uint bytes)
    {
        s.Data = data;
        s.Tile += bytes;
        s.FirstAddress += bytes;
        return s;
    }

    /// <summary>Index in <see cref="Data"/> of this thread's chunk of a step of the tile that starts at a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Index(TileSource s, int tileRow, int step)
    {
        if (StaysInColumn(s))
        {
            int down = tileRow + (int)(s.FirstRow + (uint)step * (s.Threads / s.RowChunks));
            return s.First + Math.Min(down, s.LastRow) * s.TokenStride + (int)s.FirstChunk;
        }

        uint index = s.Thread + (uint)step * s.Threads, row = SmallNumber.Divide(index, s.RowChunks);
        return s.First + Math.Min(tileRow + (int)row, s.LastRow) * s.TokenStride + (int)(index - row * s.RowChunks);
    }

    /// <summary>Whether this thread has a chunk in a step: not all do in the last one, if the threads do not divide the tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Has(TileSource s, int step) =>
        (uint)(step + 1) * s.Threads <= s.TileChunks || s.Thread + (uint)step * s.Threads < s.TileChunks;

    /// <summary>Shared address of this thread's chunk of a step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Address<TLayout>(TileSource s, int step)
        where TLayout : struct, ITileLayout
    {
        if (IsRegular(s))
        {
            return s.FirstAddress + (uint)step * (s.Threads / s.RowChunks) * s.TileStride;
        }

        if (StaysInColumn(s))
        {
            return s.Tile + TLayout.Chunk(s.FirstRow + (uint)step * (s.Threads / s.RowChunks), s.FirstChunk, s.TileStride);
        }

        uint index = s.Thread + (uint)step * s.Threads, row = SmallNumber.Divide(index, s.RowChunks);
        return s.Tile + TLayout.Chunk(row, index - row * s.RowChunks, s.TileStride);
    }

    /// <summary>
    /// Brings a tile of rows through shared memory into fragments. All threads of the block must call it; it ends with a barrier.
    /// </summary>
    /// <param name="source">The rows.</param>
    /// <param name="firstRow">The first row of the tile.</param>
    /// <param name="fragmentRow">Row of the tile where this warp's 16 rows begin.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFragments LoadFragments<TLayout, TFragments>(TileSource source, int firstRow, uint fragmentRow)
        where TLayout : struct, ITileLayout
        where TFragments : struct, IFragments<TFragments>
    {
        // Without remainder, since there are 16 rows of an even number of chunks for each warp, or for two.
        int steps = (int)(source.TileChunks / source.Threads);
        for (int step = 0; step < steps; step++)
        {
            Ptx.StoreShared(Address<TLayout>(source, step), Ptx.LoadReadOnly(ref source.Data[Index(source, firstRow, step)]));
        }

        Group.Barrier();
        LaneAddress lane = LaneAddress.OfColumns<TLayout>(source.Tile + fragmentRow * source.TileStride, source.TileStride, (int)source.Thread & 31);
        TFragments fragments = TFragments.Load<TLayout>(lane, 0);
        Group.Barrier();
        return fragments;
    }

    /// <summary>True when each step moves a thread straight down.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool StaysInColumn(TileSource s) => s.Threads % s.RowChunks == 0;

    /// <summary>True when each step moves a thread down by a multiple of eight rows, so that its place in the row stays the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsRegular(TileSource s) => s.Threads % (8 * s.RowChunks) == 0;
}

/// <summary>Division of numbers below 4096 by a constant.</summary>
internal static class SmallNumber
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Divide(uint number, uint divisor) => number * ((1u << 20) / divisor + 1) >> 20;
}
