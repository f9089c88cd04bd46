using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>Hides what lies outside [First, First + Span], one range for each of a lane's two rows.</summary>
internal struct ColumnRangeMask : ITileMap<ColumnRangeMask>
{
    /// <summary>A logit that is finite, for those that get multiplied.</summary>
    public const float FiniteHidden = -1e9f;

    /// <summary>First columns, relative to the lane's own, for rows lane/4 and lane/4 + 8.</summary>
    public int FirstLow, FirstHigh;

    public uint Span;

    /// <summary>The logit of a hidden key: -infinity or <see cref="FiniteHidden"/>.</summary>
    public float Hidden;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Tile Apply(ColumnRangeMask map, Tile tile, int column) =>
        new() { Left = Apply(map, tile.Left, column), Right = Apply(map, tile.Right, column + 8) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Apply(ColumnRangeMask mask, F4 a, int column) => new()
    {
        X = (uint)(column - mask.FirstLow) <= mask.Span ? a.X : mask.Hidden,
        Y = (uint)(column + 1 - mask.FirstLow) <= mask.Span ? a.Y : mask.Hidden,
        Z = (uint)(column - mask.FirstHigh) <= mask.Span ? a.Z : mask.Hidden,
        W = (uint)(column + 1 - mask.FirstHigh) <= mask.Span ? a.W : mask.Hidden,
    };
}

/// <summary>Which keys a query sees: those at most Window - 1 before it, and itself.</summary>
internal static class KeyRange
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int First(int query, int window) => Math.Max(0, query - window + 1);

    /// <summary>Whether any of 16 queries does not see all keys of a tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool NeedsMask(int firstQuery, int firstKey, int keys, int window) =>
        firstKey + keys - 1 > firstQuery | firstKey < firstQuery + 15 - window + 1;

    /// <summary>The mask of a lane whose first row sees <paramref name="window"/> columns from <paramref name="first"/>, relative to its own.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ColumnRangeMask Mask(int first, int window, float hidden) =>
        new() { FirstLow = first, FirstHigh = first + 8, Span = (uint)window - 1, Hidden = hidden };
}
