using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>
/// The chunks a thread copies of a tile, all steps unrolled. <see cref="Begin"/> starts the loads; <see cref="End"/> puts the data into shared
/// memory, where it may be read after the next barrier.
/// </summary>
internal interface ITileCopy<TSelf>
    where TSelf : struct, ITileCopy<TSelf>
{
    static abstract int Steps { get; }

    /// <summary>Closes what <see cref="Begin"/> started.</summary>
    static abstract void Commit();

    /// <summary>Waits for what was committed.</summary>
    static abstract void Wait();

    static abstract TSelf Begin<TLayout>(TileSource source, int firstRow, int step)
        where TLayout : struct, ITileLayout;

    static abstract void End<TLayout>(TSelf copy, TileSource source, int step)
        where TLayout : struct, ITileLayout;
}

/// <summary>sm_75: through registers.</summary>
internal struct RegisterCopy : ITileCopy<RegisterCopy>
{
    private U4 _chunk;

    public static int Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit()
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Wait()
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RegisterCopy Begin<TLayout>(TileSource source, int firstRow, int step)
        where TLayout : struct, ITileLayout
    {
        RegisterCopy copy = default;
        if (TileSource.Has(source, step))
        {
            copy._chunk = Ptx.LoadReadOnly(ref source.Data[TileSource.Index(source, firstRow, step)]);
        }

        return copy;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End<TLayout>(RegisterCopy copy, TileSource source, int step)
        where TLayout : struct, ITileLayout
    {
        if (TileSource.Has(source, step))
        {
            Ptx.StoreShared(TileSource.Address<TLayout>(source, step), copy._chunk);
        }
    }
}

/// <summary>sm_80 and later: cp.async, no registers.</summary>
internal struct AsyncCopy : ITileCopy<AsyncCopy>
{
    /// <summary>Nothing; ILGPU wants a field.</summary>
    public uint Unused;

    public static int Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit() => Ptx.CopyAsyncCommit();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Wait() => Ptx.CopyAsyncWait();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AsyncCopy Begin<TLayout>(TileSource source, int firstRow, int step)
        where TLayout : struct, ITileLayout
    {
        if (TileSource.Has(source, step))
        {
            Ptx.CopyAsync16(TileSource.Address<TLayout>(source, step), ref source.Data[TileSource.Index(source, firstRow, step)]);
        }

        return new() { Unused = 0 };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End<TLayout>(AsyncCopy copy, TileSource source, int step)
        where TLayout : struct, ITileLayout
    {
    }
}

/// <summary>One step after another.</summary>
internal struct JoinedCopy<TFirst, TRest> : ITileCopy<JoinedCopy<TFirst, TRest>>
    where TFirst : struct, ITileCopy<TFirst>
    where TRest : struct, ITileCopy<TRest>
{
    private TFirst _first;
    private TRest _rest;

    public static int Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFirst.Steps + TRest.Steps;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Commit() => TFirst.Commit();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Wait() => TFirst.Wait();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedCopy<TFirst, TRest> Begin<TLayout>(TileSource source, int firstRow, int step)
        where TLayout : struct, ITileLayout => new()
    {
        _first = TFirst.Begin<TLayout>(source, firstRow, step),
        _rest = TRest.Begin<TLayout>(source, firstRow, step + TFirst.Steps),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End<TLayout>(JoinedCopy<TFirst, TRest> copy, TileSource source, int step)
        where TLayout : struct, ITileLayout
    {
        TFirst.End<TLayout>(copy._first, source, step);
        TRest.End<TLayout>(copy._rest, source, step + TFirst.Steps);
    }
}

/// <summary>Copies whole tiles.</summary>
internal static class TileCopy
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TCopy Begin<TCopy, TLayout>(TileSource source, int firstRow)
        where TCopy : struct, ITileCopy<TCopy>
        where TLayout : struct, ITileLayout
    {
        TCopy copy = TCopy.Begin<TLayout>(source, firstRow, 0);
        TCopy.Commit();
        return copy;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void End<TCopy, TLayout>(TCopy copy, TileSource source)
        where TCopy : struct, ITileCopy<TCopy>
        where TLayout : struct, ITileLayout
    {
        TCopy.Wait();
        TCopy.End<TLayout>(copy, source, 0);
    }
}
