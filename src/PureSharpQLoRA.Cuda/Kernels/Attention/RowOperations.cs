using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>A value for each of a lane's two rows, lane/4 and lane/4 + 8.</summary>
internal struct RowPair
{
    public float Low, High;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowPair Create(float low, float high) => new() { Low = low, High = high };

    /// <summary>Sum over the four lanes that share the rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowPair QuadSum(RowPair a) => Create(QuadSum(a.Low), QuadSum(a.High));

    /// <summary>Maximum over the four lanes that share the rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowPair QuadMax(RowPair a) => Create(QuadMax(a.Low), QuadMax(a.High));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float QuadSum(float a)
    {
        float pair = a + Ptx.ShuffleXor(a, 1);
        return pair + Ptx.ShuffleXor(pair, 2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float QuadMax(float a)
    {
        float pair = Ptx.Max(a, Ptx.ShuffleXor(a, 1));
        return Ptx.Max(pair, Ptx.ShuffleXor(pair, 2));
    }
}

/// <summary>Running maximum of each row.</summary>
internal struct RowMaximum : ITileFold<RowMaximum>
{
    public RowPair Value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowMaximum Add(RowMaximum state, Tile tile, int column) => new()
    {
        Value = RowPair.Create(
            Max(state.Value.Low, tile.Left.X, tile.Left.Y, tile.Right.X, tile.Right.Y),
            Max(state.Value.High, tile.Left.Z, tile.Left.W, tile.Right.Z, tile.Right.W)),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Max(float state, float a, float b, float c, float d) =>
        Ptx.Max(Ptx.Max(Ptx.Max(state, a), Ptx.Max(b, c)), d);
}

/// <summary>Running sum of each row.</summary>
internal struct RowSum : ITileFold<RowSum>
{
    public RowPair Value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowSum Add(RowSum state, Tile tile, int column) => new()
    {
        Value = RowPair.Create(
            state.Value.Low + tile.Left.X + tile.Left.Y + tile.Right.X + tile.Right.Y,
            state.Value.High + tile.Left.Z + tile.Left.W + tile.Right.Z + tile.Right.W),
    };
}

/// <summary>Multiplies each row by its factor.</summary>
internal struct RowScale : ITileMap<RowScale>
{
    public RowPair Factor;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Apply(RowScale map, Tile tile, int column) => new() { Left = Apply(map, tile.Left), Right = Apply(map, tile.Right) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Apply(RowScale map, F4 a) => new()
    {
        X = a.X * map.Factor.Low, Y = a.Y * map.Factor.Low, Z = a.Z * map.Factor.High, W = a.W * map.Factor.High,
    };
}

/// <summary>2^(factor * x - offset of the row).</summary>
internal struct RowExp2 : ITileMap<RowExp2>
{
    public float Factor;
    public RowPair Offset;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Apply(RowExp2 map, Tile tile, int column) => new() { Left = Apply(map, tile.Left), Right = Apply(map, tile.Right) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Apply(RowExp2 map, F4 a) => new()
    {
        X = Ptx.Exp2(Ptx.MultiplyAdd(a.X, map.Factor, -map.Offset.Low)),
        Y = Ptx.Exp2(Ptx.MultiplyAdd(a.Y, map.Factor, -map.Offset.Low)),
        Z = Ptx.Exp2(Ptx.MultiplyAdd(a.Z, map.Factor, -map.Offset.High)),
        W = Ptx.Exp2(Ptx.MultiplyAdd(a.W, map.Factor, -map.Offset.High)),
    };
}
