using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>Two accumulator rows side by side.</summary>
internal struct Join<TLeft, TRight> : IAccumulators<Join<TLeft, TRight>>
    where TLeft : struct, IAccumulators<TLeft>
    where TRight : struct, IAccumulators<TRight>
{
    public TLeft Left;
    public TRight Right;

    public static int Tiles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TLeft.Tiles + TRight.Tiles;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Join<TLeft, TRight> MultiplyByRows<TCore, TLayout>(Join<TLeft, TRight> sum, U4 a, LaneAddress b, uint stride, uint column)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout => new()
        {
            Left = TLeft.MultiplyByRows<TCore, TLayout>(sum.Left, a, b, stride, column),
            Right = TRight.MultiplyByRows<TCore, TLayout>(sum.Right, a, LaneAddress.Beyond(b, (uint)TLeft.Tiles * 16 * stride), stride, column),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Join<TLeft, TRight> MultiplyByColumns<TCore, TLayout>(Join<TLeft, TRight> sum, U4 a, LaneAddress b, uint column)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout => new()
        {
            Left = TLeft.MultiplyByColumns<TCore, TLayout>(sum.Left, a, b, column),
            Right = TRight.MultiplyByColumns<TCore, TLayout>(sum.Right, a, b, column + (uint)TLeft.Tiles * 32),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSum MultiplyInto<TSum, TCore, TLayout>(Join<TLeft, TRight> left, TSum sum, LaneAddress b, uint stride)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout
    {
        TSum half = TLeft.MultiplyInto<TSum, TCore, TLayout>(left.Left, sum, b, stride);
        return TRight.MultiplyInto<TSum, TCore, TLayout>(left.Right, half, LaneAddress.Beyond(b, (uint)TLeft.Tiles * 16 * stride), stride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Join<TLeft, TRight> Map<TMap>(Join<TLeft, TRight> a, TMap map, int column)
        where TMap : struct, ITileMap<TMap> => new()
    {
        Left = TLeft.Map(a.Left, map, column),
        Right = TRight.Map(a.Right, map, column + 16 * TLeft.Tiles),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Join<TLeft, TRight> Zip<TZip>(Join<TLeft, TRight> a, Join<TLeft, TRight> b, TZip zip, int column)
        where TZip : struct, ITileZip<TZip> => new()
    {
        Left = TLeft.Zip(a.Left, b.Left, zip, column),
        Right = TRight.Zip(a.Right, b.Right, zip, column + 16 * TLeft.Tiles),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFold Fold<TFold>(Join<TLeft, TRight> a, TFold state, int column)
        where TFold : struct, ITileFold<TFold> =>
        TRight.Fold(a.Right, TLeft.Fold(a.Left, state, column), column + 16 * TLeft.Tiles);
}
