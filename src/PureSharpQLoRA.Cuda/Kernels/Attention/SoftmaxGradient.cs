using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// With queries in rows: from products x and the weights' gradient dp, the gradient of the scaled products dS = p (dp - delta), where
/// p = 2^(factor x - offset) is the weight.
/// </summary>
internal struct RowSoftmaxGradient : ITileZip<RowSoftmaxGradient>
{
    public float Factor;

    /// <summary>Log-sum-exp in units of log2(e), and delta.</summary>
    public RowPair Offset, Delta;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Apply(RowSoftmaxGradient zip, Tile a, Tile b, int column) =>
        new() { Left = Apply(zip, a.Left, b.Left), Right = Apply(zip, a.Right, b.Right) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Apply(RowSoftmaxGradient g, F4 x, F4 dp) => new()
    {
        X = One(g.Factor, g.Offset.Low, g.Delta.Low, x.X, dp.X),
        Y = One(g.Factor, g.Offset.Low, g.Delta.Low, x.Y, dp.Y),
        Z = One(g.Factor, g.Offset.High, g.Delta.High, x.Z, dp.Z),
        W = One(g.Factor, g.Offset.High, g.Delta.High, x.W, dp.W),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float One(float factor, float offset, float delta, float x, float dp) => Ptx.Exp2(Ptx.MultiplyAdd(x, factor, -offset)) * (dp - delta);
}

/// <summary>With keys in rows and queries in columns: the weight 2^(factor x - offset of the column).</summary>
internal struct ColumnExp2<TStatistics> : ITileMap<ColumnExp2<TStatistics>>
    where TStatistics : struct, IQueryStatistics<TStatistics>
{
    public float Factor;

    public TStatistics Statistics;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Apply(ColumnExp2<TStatistics> map, Tile tile, int column)
    {
        F2 left = TStatistics.Offsets(map.Statistics, column), right = TStatistics.Offsets(map.Statistics, column + 8);
        return new() { Left = Apply(map.Factor, tile.Left, left), Right = Apply(map.Factor, tile.Right, right) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Apply(float factor, F4 x, F2 offset) => new()
    {
        X = Ptx.Exp2(Ptx.MultiplyAdd(x.X, factor, -offset.X)),
        Y = Ptx.Exp2(Ptx.MultiplyAdd(x.Y, factor, -offset.Y)),
        Z = Ptx.Exp2(Ptx.MultiplyAdd(x.Z, factor, -offset.X)),
        W = Ptx.Exp2(Ptx.MultiplyAdd(x.W, factor, -offset.Y)),
    };
}

/// <summary>With keys in rows: p (dp - delta of the column).</summary>
internal struct ColumnSoftmaxGradient<TStatistics> : ITileZip<ColumnSoftmaxGradient<TStatistics>>
    where TStatistics : struct, IQueryStatistics<TStatistics>
{
    public TStatistics Statistics;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Apply(ColumnSoftmaxGradient<TStatistics> zip, Tile a, Tile b, int column)
    {
        F2 left = TStatistics.Deltas(zip.Statistics, column), right = TStatistics.Deltas(zip.Statistics, column + 8);
        return new() { Left = Apply(a.Left, b.Left, left), Right = Apply(a.Right, b.Right, right) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Apply(F4 p, F4 dp, F2 delta) => new()
    {
        X = p.X * (dp.X - delta.X),
        Y = p.Y * (dp.Y - delta.Y),
        Z = p.Z * (dp.Z - delta.X),
        W = p.W * (dp.W - delta.Y),
    };
}
