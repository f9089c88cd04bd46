using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Tiles;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>A function of each 16x16 tile of a result.</summary>
internal interface ITileAction<TSelf>
    where TSelf : struct, ITileAction<TSelf>
{
    static abstract void Apply(TSelf action, F4 left, F4 right, int row, int column);
}

/// <summary>The right operand's fragments of a row of tiles; a row of two has no third.</summary>
internal struct RightFragments
{
    public U4 F0, F1, F2, F3;
}

/// <summary>16 rows of fp32 accumulators, in tiles of 16 columns.</summary>
internal interface IWarpRow<TSelf>
    where TSelf : struct, IWarpRow<TSelf>
{
    static abstract int Columns { get; }

    static abstract RightFragments Load<TRight>(LanePlace place, uint tileAddress, int half)
        where TRight : struct, ITensorOperand;

    static abstract TSelf MultiplyAdd<TCore>(TSelf c, U4 a, RightFragments b)
        where TCore : struct, ITensorCore;

    static abstract void ForEach<TAction>(TSelf c, TAction action, int row, int column)
        where TAction : struct, ITileAction<TAction>;
}

/// <summary>A 16x16 tile: columns 0 to 7 and 8 to 15.</summary>
internal struct WarpCell
{
    public F4 Left, Right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WarpCell MultiplyAdd<TCore>(WarpCell c, U4 a, U4 b)
        where TCore : struct, ITensorCore => new()
        {
            Left = TCore.MultiplyAdd(c.Left, a, b.X, b.Y),
            Right = TCore.MultiplyAdd(c.Right, a, b.Z, b.W),
        };
}

/// <summary>32 columns.</summary>
internal struct WarpRow32 : IWarpRow<WarpRow32>
{
    private WarpCell _c0, _c1;

    public static int Columns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 32;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RightFragments Load<TRight>(LanePlace place, uint tileAddress, int half)
        where TRight : struct, ITensorOperand => new()
        {
            F0 = TRight.Fragment(place, tileAddress, 0, half),
            F1 = TRight.Fragment(place, tileAddress, 1, half),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WarpRow32 MultiplyAdd<TCore>(WarpRow32 c, U4 a, RightFragments b)
        where TCore : struct, ITensorCore => new()
        {
            _c0 = WarpCell.MultiplyAdd<TCore>(c._c0, a, b.F0),
            _c1 = WarpCell.MultiplyAdd<TCore>(c._c1, a, b.F1),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ForEach<TAction>(WarpRow32 c, TAction action, int row, int column)
        where TAction : struct, ITileAction<TAction>
    {
        TAction.Apply(action, c._c0.Left, c._c0.Right, row, column);
        TAction.Apply(action, c._c1.Left, c._c1.Right, row, column + 16);
    }
}

/// <summary>64 columns.</summary>
internal struct WarpRow64 : IWarpRow<WarpRow64>
{
    private WarpCell _c0, _c1, _c2, _c3;

    public static int Columns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 64;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RightFragments Load<TRight>(LanePlace place, uint tileAddress, int half)
        where TRight : struct, ITensorOperand => new()
        {
            F0 = TRight.Fragment(place, tileAddress, 0, half),
            F1 = TRight.Fragment(place, tileAddress, 1, half),
            F2 = TRight.Fragment(place, tileAddress, 2, half),
            F3 = TRight.Fragment(place, tileAddress, 3, half),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WarpRow64 MultiplyAdd<TCore>(WarpRow64 c, U4 a, RightFragments b)
        where TCore : struct, ITensorCore => new()
        {
            _c0 = WarpCell.MultiplyAdd<TCore>(c._c0, a, b.F0),
            _c1 = WarpCell.MultiplyAdd<TCore>(c._c1, a, b.F1),
            _c2 = WarpCell.MultiplyAdd<TCore>(c._c2, a, b.F2),
            _c3 = WarpCell.MultiplyAdd<TCore>(c._c3, a, b.F3),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ForEach<TAction>(WarpRow64 c, TAction action, int row, int column)
        where TAction : struct, ITileAction<TAction>
    {
        TAction.Apply(action, c._c0.Left, c._c0.Right, row, column);
        TAction.Apply(action, c._c1.Left, c._c1.Right, row, column + 16);
        TAction.Apply(action, c._c2.Left, c._c2.Right, row, column + 32);
        TAction.Apply(action, c._c3.Left, c._c3.Right, row, column + 48);
    }
}

/// <summary>A warp's part of a result.</summary>
internal interface IWarpTile<TSelf>
    where TSelf : struct, IWarpTile<TSelf>
{
    static abstract int Rows { get; }

    static abstract int Columns { get; }

    /// <summary>Adds the product of 16 steps.</summary>
    static abstract TSelf MultiplyAdd<TCore, TLeft, TRight>(TSelf c, LanePlace left, uint leftTile, LanePlace right, uint rightTile, int half)
        where TCore : struct, ITensorCore
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand;

    static abstract void ForEach<TAction>(TSelf c, TAction action, int row, int column)
        where TAction : struct, ITileAction<TAction>;
}

/// <summary>32 rows.</summary>
internal struct WarpTile32<TRow> : IWarpTile<WarpTile32<TRow>>
    where TRow : struct, IWarpRow<TRow>
{
    private TRow _r0, _r1;

    public static int Rows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 32;
    }

    public static int Columns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TRow.Columns;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WarpTile32<TRow> MultiplyAdd<TCore, TLeft, TRight>(
        WarpTile32<TRow> c, LanePlace left, uint leftTile, LanePlace right, uint rightTile, int half)
        where TCore : struct, ITensorCore
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        RightFragments b = TRow.Load<TRight>(right, rightTile, half);
        return new()
        {
            _r0 = TRow.MultiplyAdd<TCore>(c._r0, TLeft.Fragment(left, leftTile, 0, half), b),
            _r1 = TRow.MultiplyAdd<TCore>(c._r1, TLeft.Fragment(left, leftTile, 1, half), b),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ForEach<TAction>(WarpTile32<TRow> c, TAction action, int row, int column)
        where TAction : struct, ITileAction<TAction>
    {
        TRow.ForEach(c._r0, action, row, column);
        TRow.ForEach(c._r1, action, row + 16, column);
    }
}

/// <summary>64 rows.</summary>
internal struct WarpTile64<TRow> : IWarpTile<WarpTile64<TRow>>
    where TRow : struct, IWarpRow<TRow>
{
    private TRow _r0, _r1, _r2, _r3;

    public static int Rows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 64;
    }

    public static int Columns
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TRow.Columns;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static WarpTile64<TRow> MultiplyAdd<TCore, TLeft, TRight>(
        WarpTile64<TRow> c, LanePlace left, uint leftTile, LanePlace right, uint rightTile, int half)
        where TCore : struct, ITensorCore
        where TLeft : struct, ITensorOperand
        where TRight : struct, ITensorOperand
    {
        RightFragments b = TRow.Load<TRight>(right, rightTile, half);
        return new()
        {
            _r0 = TRow.MultiplyAdd<TCore>(c._r0, TLeft.Fragment(left, leftTile, 0, half), b),
            _r1 = TRow.MultiplyAdd<TCore>(c._r1, TLeft.Fragment(left, leftTile, 1, half), b),
            _r2 = TRow.MultiplyAdd<TCore>(c._r2, TLeft.Fragment(left, leftTile, 2, half), b),
            _r3 = TRow.MultiplyAdd<TCore>(c._r3, TLeft.Fragment(left, leftTile, 3, half), b),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ForEach<TAction>(WarpTile64<TRow> c, TAction action, int row, int column)
        where TAction : struct, ITileAction<TAction>
    {
        TRow.ForEach(c._r0, action, row, column);
        TRow.ForEach(c._r1, action, row + 16, column);
        TRow.ForEach(c._r2, action, row + 32, column);
        TRow.ForEach(c._r3, action, row + 48, column);
    }
}
