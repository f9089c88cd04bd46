using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>What a block copies, tile after tile: the main operands, then those of the second term.</summary>
internal struct TileFeed
{
    public OperandSource Left, Right, Low, Factor;
    public CopyPlace LeftPlace, RightPlace;

    /// <summary>Where the main reduction begins, its tiles, and all tiles.</summary>
    public int First, MainTiles, Tiles;

    /// <summary>Shared address of the first stage, and bytes of the left operand's tile and of both.</summary>
    public uint Memory, LeftBytes, StageBytes;

    /// <summary>The operands of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Select(TileFeed feed, int tile, out OperandSource left, out OperandSource right, out int firstStep)
    {
        if (tile < feed.MainTiles)
        {
            left = feed.Left;
            right = feed.Right;
            firstStep = feed.First + 32 * tile;
        }
        else
        {
            left = feed.Low;
            right = feed.Factor;
            firstStep = 32 * (tile - feed.MainTiles);
        }
    }
}

/// <summary>How tiles get to shared memory while earlier ones are used. Stages are used in turn.</summary>
internal interface ITensorPipeline<TSelf>
    where TSelf : struct, ITensorPipeline<TSelf>
{
    static abstract int Stages { get; }

    /// <summary>Starts the first tiles.</summary>
    static abstract TSelf Begin<TLeft, TRight>(TileFeed feed)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand;

    /// <summary>Called ahead of the barrier behind which a tile is read.</summary>
    static abstract void Arrive();

    /// <summary>Called behind that barrier: the stage before the tile's own is free.</summary>
    static abstract TSelf Advance<TLeft, TRight>(TSelf state, TileFeed feed, int tile, uint freeStage)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand;
}

/// <summary>From sm_80 on: cp.async, three stages.</summary>
internal struct AsyncPipeline : ITensorPipeline<AsyncPipeline>
{
    /// <summary>Nothing; a struct needs a field.</summary>
    public uint Unused;

    public static int Stages
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 3;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AsyncPipeline Begin<TLeft, TRight>(TileFeed feed)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        Copy<TLeft, TRight>(feed, 0, feed.Memory);
        Copy<TLeft, TRight>(feed, 1, feed.Memory + feed.StageBytes);
        return default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Arrive() => Ptx.CopyAsyncWaitAllButOne();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static AsyncPipeline Advance<TLeft, TRight>(AsyncPipeline state, TileFeed feed, int tile, uint freeStage)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        Copy<TLeft, TRight>(feed, tile + 2, freeStage);
        return state;
    }

    /// <summary>Commits a group even where there is no such tile, since groups are counted.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy<TLeft, TRight>(TileFeed feed, int tile, uint stage)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        if (tile < feed.Tiles)
        {
            TileFeed.Select(feed, tile, out OperandSource left, out OperandSource right, out int firstStep);
            Copy<TLeft>(left, feed.LeftPlace, firstStep, stage);
            Copy<TRight>(right, feed.RightPlace, firstStep, stage + feed.LeftBytes);
        }

        Ptx.CopyAsyncCommit();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy<TOperand>(OperandSource source, CopyPlace place, int firstStep, uint target)
        where TOperand : struct, ITensorOperand
    {
        Copy<TOperand>(source, place, firstStep, target, 0);
        if (TOperand.Lines > 32)
        {
            Copy<TOperand>(source, place, firstStep, target, 1);
        }

        if (TOperand.Lines > 64)
        {
            Copy<TOperand>(source, place, firstStep, target, 2);
            Copy<TOperand>(source, place, firstStep, target, 3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Copy<TOperand>(OperandSource source, CopyPlace place, int firstStep, uint target, int pass)
        where TOperand : struct, ITensorOperand
    {
        int index = TOperand.Index(source, place, firstStep, pass, out int exists);
        Ptx.CopyAsyncOrZero(target + place.Offset, ref source.Data[index], exists & 16, 2048 * pass);
    }
}

/// <summary>What happens to the right operand on its way through registers.</summary>
internal interface IChunkConversion
{
    static abstract U4 Convert(U4 chunk);
}

/// <summary>Nothing.</summary>
internal struct SameChunk : IChunkConversion
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Convert(U4 chunk) => chunk;
}

/// <summary>bf16 to fp16: a weight of a model that is stored as bf16, on a card or with activations that are not.</summary>
internal struct BrainToHalfChunk : IChunkConversion
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Convert(U4 chunk) => new() { X = Pair(chunk.X), Y = Pair(chunk.Y), Z = Pair(chunk.Z), W = Pair(chunk.W) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pair(uint pair) => Ptx.PackHalves(Interop.IntAsFloat(pair << 16), Interop.IntAsFloat(pair & 0xFFFF0000));
}

/// <summary>fp16 to bf16, from sm_80 on.</summary>
internal struct HalfToBrainChunk : IChunkConversion
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Convert(U4 chunk) => new() { X = Pair(chunk.X), Y = Pair(chunk.Y), Z = Pair(chunk.Z), W = Pair(chunk.W) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pair(uint pair) => Ptx.PackBrains(Ptx.LowHalf(pair), Ptx.HighHalf(pair));
}

/// <summary>Through registers, two stages: what sm_75 can do, and how an operand is converted on its way.</summary>
internal struct StagedPipeline<TConversion> : ITensorPipeline<StagedPipeline<TConversion>>
    where TConversion : struct, IChunkConversion
{
    private U4 _l0, _l1, _l2, _l3, _r0, _r1, _r2, _r3;

    public static int Stages
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StagedPipeline<TConversion> Begin<TLeft, TRight>(TileFeed feed)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        StagedPipeline<TConversion> state = Fetch<TLeft, TRight>(default, feed, 0);
        Put<TLeft, TRight>(state, feed, 0, feed.Memory);
        return Fetch<TLeft, TRight>(state, feed, 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Arrive()
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static StagedPipeline<TConversion> Advance<TLeft, TRight>(StagedPipeline<TConversion> state, TileFeed feed, int tile, uint freeStage)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        Put<TLeft, TRight>(state, feed, tile + 1, freeStage);
        return Fetch<TLeft, TRight>(state, feed, tile + 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static StagedPipeline<TConversion> Fetch<TLeft, TRight>(StagedPipeline<TConversion> state, TileFeed feed, int tile)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        if (tile < feed.Tiles)
        {
            TileFeed.Select(feed, tile, out OperandSource left, out OperandSource right, out int firstStep);
            state._l0 = Load<TLeft>(left, feed.LeftPlace, firstStep, 0);
            state._l1 = TLeft.Lines > 32 ? Load<TLeft>(left, feed.LeftPlace, firstStep, 1) : default;
            state._l2 = TLeft.Lines > 64 ? Load<TLeft>(left, feed.LeftPlace, firstStep, 2) : default;
            state._l3 = TLeft.Lines > 64 ? Load<TLeft>(left, feed.LeftPlace, firstStep, 3) : default;
            state._r0 = Load<TRight>(right, feed.RightPlace, firstStep, 0);
            state._r1 = TRight.Lines > 32 ? Load<TRight>(right, feed.RightPlace, firstStep, 1) : default;
            state._r2 = TRight.Lines > 64 ? Load<TRight>(right, feed.RightPlace, firstStep, 2) : default;
            state._r3 = TRight.Lines > 64 ? Load<TRight>(right, feed.RightPlace, firstStep, 3) : default;
        }

        return state;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Load<TOperand>(OperandSource source, CopyPlace place, int firstStep, int pass)
        where TOperand : struct, ITensorOperand
    {
        int index = TOperand.Index(source, place, firstStep, pass, out int exists);
        return Ptx.LoadReadOnlyOrZero(ref source.Data[index], exists);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TLeft, TRight>(StagedPipeline<TConversion> state, TileFeed feed, int tile, uint stage)
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        if (tile < feed.Tiles)
        {
            uint left = stage + feed.LeftPlace.Offset, right = stage + feed.LeftBytes + feed.RightPlace.Offset;
            Put<TLeft, SameChunk>(left, state._l0, state._l1, state._l2, state._l3);

            // The factor of the second term is a prepared copy, which needs no conversion.
            if (tile < feed.MainTiles)
            {
                Put<TRight, TConversion>(right, state._r0, state._r1, state._r2, state._r3);
            }
            else
            {
                Put<TRight, SameChunk>(right, state._r0, state._r1, state._r2, state._r3);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TOperand, TChange>(uint target, U4 c0, U4 c1, U4 c2, U4 c3)
        where TOperand : struct, ITensorOperand
        where TChange : struct, IChunkConversion
    {
        Ptx.StoreSharedChunk(target, TChange.Convert(c0), 0);
        if (TOperand.Lines > 32)
        {
            Ptx.StoreSharedChunk(target, TChange.Convert(c1), 2048);
        }

        if (TOperand.Lines > 64)
        {
            Ptx.StoreSharedChunk(target, TChange.Convert(c2), 4096);
            Ptx.StoreSharedChunk(target, TChange.Convert(c3), 6144);
        }
    }
}
