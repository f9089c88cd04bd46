using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>A 16x16 accumulator: columns 0-7 in <see cref="Left"/>, 8-15 in <see cref="Right"/>.</summary>
internal struct Tile : IAccumulators<Tile>
{
    public F4 Left, Right;

    public static int Tiles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile MultiplyByRows<TCore, TLayout>(Tile sum, U4 a, LaneAddress b, uint stride, uint column)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout =>
        Multiply<TCore>(sum, a, Ptx.LoadMatrices(TLayout.At(b.Row, b.Lane, column)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile MultiplyByColumns<TCore, TLayout>(Tile sum, U4 a, LaneAddress b, uint column)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout =>
        Multiply<TCore>(sum, a, Ptx.LoadMatricesTransposed(TLayout.At(b.Row, b.Lane, column)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TSum MultiplyInto<TSum, TCore, TLayout>(Tile left, TSum sum, LaneAddress b, uint stride)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout =>
        TSum.MultiplyByColumns<TCore, TLayout>(sum, Fragment<TCore>(left), b, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Map<TMap>(Tile a, TMap map, int column)
        where TMap : struct, ITileMap<TMap> => TMap.Apply(map, a, column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Zip<TZip>(Tile a, Tile b, TZip zip, int column)
        where TZip : struct, ITileZip<TZip> => TZip.Apply(zip, a, b, column);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFold Fold<TFold>(Tile a, TFold state, int column)
        where TFold : struct, ITileFold<TFold> => TFold.Add(state, a, column);

    /// <summary>The accumulator as the left operand of another product: the register layouts agree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Fragment<TCore>(Tile a)
        where TCore : struct, ITensorCore => new()
    {
        X = TCore.Pack(a.Left.X, a.Left.Y),
        Y = TCore.Pack(a.Left.Z, a.Left.W),
        Z = TCore.Pack(a.Right.X, a.Right.Y),
        W = TCore.Pack(a.Right.Z, a.Right.W),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Tile Multiply<TCore>(Tile sum, U4 a, U4 b)
        where TCore : struct, ITensorCore => new()
    {
        Left = TCore.MultiplyAdd(sum.Left, a, b.X, b.Y),
        Right = TCore.MultiplyAdd(sum.Right, a, b.Z, b.W),
    };
}
