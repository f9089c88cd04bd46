using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>A 16x16 fragment held in four registers.</summary>
internal struct RegisterFragment : IFragments<RegisterFragment>
{
    private U4 _value;

    public static int Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    public static bool StaysShared
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RegisterFragment Load<TLayout>(LaneAddress a, uint column)
        where TLayout : struct, ITileLayout =>
        new() { _value = Ptx.LoadMatrices(TLayout.At(a.Row, a.Lane, column)) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSum MultiplyByRows<TSum, TCore, TLayout>(RegisterFragment a, TSum sum, LaneAddress b, uint stride, uint column)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout =>
        TSum.MultiplyByRows<TCore, TLayout>(sum, a._value, b, stride, column);
}

/// <summary>A 16x16 fragment that is read from shared memory whenever it is used.</summary>
internal struct SharedFragment : IFragments<SharedFragment>
{
    private LaneAddress _place;

    public static int Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    public static bool StaysShared
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SharedFragment Load<TLayout>(LaneAddress a, uint column)
        where TLayout : struct, ITileLayout => new() { _place = a };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSum MultiplyByRows<TSum, TCore, TLayout>(SharedFragment a, TSum sum, LaneAddress b, uint stride, uint column)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout =>
        TSum.MultiplyByRows<TCore, TLayout>(sum, Ptx.LoadMatrices(TLayout.At(a._place.Row, a._place.Lane, column)), b, stride, column);
}

/// <summary>Two fragments side by side.</summary>
internal struct JoinedFragments<TLeft, TRight> : IFragments<JoinedFragments<TLeft, TRight>>
    where TLeft : struct, IFragments<TLeft>
    where TRight : struct, IFragments<TRight>
{
    private TLeft _left;
    private TRight _right;

    public static int Steps
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLeft.Steps + TRight.Steps;
    }

    public static bool StaysShared
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLeft.StaysShared;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedFragments<TLeft, TRight> Load<TLayout>(LaneAddress a, uint column)
        where TLayout : struct, ITileLayout => new()
    {
        _left = TLeft.Load<TLayout>(a, column),
        _right = TRight.Load<TLayout>(a, column + (uint)TLeft.Steps * 32),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSum MultiplyByRows<TSum, TCore, TLayout>(JoinedFragments<TLeft, TRight> a, TSum sum, LaneAddress b, uint stride, uint column)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout
    {
        TSum half = TLeft.MultiplyByRows<TSum, TCore, TLayout>(a._left, sum, b, stride, column);
        return TRight.MultiplyByRows<TSum, TCore, TLayout>(a._right, half, b, stride, column + (uint)TLeft.Steps * 32);
    }
}
