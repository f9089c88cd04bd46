using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>One 16x16 operand per 16 columns of a warp's 64: the weights of one step of the tensor cores.</summary>
internal struct Fragments
{
    public U4 T0, T1, T2, T3;
}

/// <summary>The weights of 32 of the reduction: two steps.</summary>
internal struct Phase
{
    public Fragments First, Second;
}

/// <summary>
/// A warp's fp32 sums: 64 columns by a number of tiles of eight rows. D of the tensor core is the transposed result, so lane 4g + t holds columns
/// 8g to 8g + 7 of rows 2t and 2t + 1 of each tile. Unrolled by nesting types.
/// </summary>
internal interface ISums<TSelf>
    where TSelf : struct, ISums<TSelf>
{
    /// <summary>Tiles of eight rows.</summary>
    static abstract int Tiles { get; }

    /// <summary>sums += weights·activations, which lie in shared memory, 128 bytes a row.</summary>
    static abstract TSelf Multiply<TCore>(TSelf sums, Phase weights, uint sharedAddress)
        where TCore : struct, INf4Core;

    /// <summary>sums += factor·low over 16 of the rank. Rows past the end read the last one; what comes of them is not stored.</summary>
    static abstract TSelf MultiplyLow<TCore>(TSelf sums, Fragments factor, ArrayView<U2> low, int row, int lastRow, int rowQuads, int quad, int exists)
        where TCore : struct, INf4Core;

    static abstract TSelf Scale(TSelf sums, float factor);

    static abstract void Store<TOutput>(TSelf sums, TOutput output, int row, int column, int rows, int columns, float factor, int accumulate)
        where TOutput : struct, IOutput<TOutput>;
}

/// <summary>Eight rows.</summary>
internal struct RowTile : ISums<RowTile>
{
    private F4 _c0, _c1, _c2, _c3;

    public static int Tiles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowTile Multiply<TCore>(RowTile sums, Phase weights, uint sharedAddress)
        where TCore : struct, INf4Core
    {
        U4 x = Ptx.LoadShared16(sharedAddress);
        RowTile half = Step<TCore>(sums, weights.First, x.X, x.Y);
        return Step<TCore>(half, weights.Second, x.Z, x.W);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowTile MultiplyLow<TCore>(RowTile sums, Fragments factor, ArrayView<U2> low, int row, int lastRow, int rowQuads, int quad, int exists)
        where TCore : struct, INf4Core
    {
        U2 x = Ptx.LoadReadOnlyOrZero(ref low[IntrinsicMath.Min(row, lastRow) * rowQuads + quad], exists);
        return Step<TCore>(sums, factor, x.X, x.Y);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static RowTile Scale(RowTile sums, float factor) =>
        new() { _c0 = Scale(sums._c0, factor), _c1 = Scale(sums._c1, factor), _c2 = Scale(sums._c2, factor), _c3 = Scale(sums._c3, factor) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TOutput>(RowTile sums, TOutput output, int row, int column, int rows, int columns, float factor, int accumulate)
        where TOutput : struct, IOutput<TOutput>
    {
        RowTile s = Scale(sums, factor);
        if (row < rows && column < columns)
        {
            Eight values = new()
            {
                A = new() { X = s._c0.X, Y = s._c0.Z, Z = s._c1.X, W = s._c1.Z },
                B = new() { X = s._c2.X, Y = s._c2.Z, Z = s._c3.X, W = s._c3.Z },
            };
            TOutput.Store(output, row * columns + column, values, columns - column, accumulate);
        }

        if (row + 1 < rows && column < columns)
        {
            Eight values = new()
            {
                A = new() { X = s._c0.Y, Y = s._c0.W, Z = s._c1.Y, W = s._c1.W },
                B = new() { X = s._c2.Y, Y = s._c2.W, Z = s._c3.Y, W = s._c3.W },
            };
            TOutput.Store(output, (row + 1) * columns + column, values, columns - column, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static RowTile Step<TCore>(RowTile s, Fragments a, uint b0, uint b1)
        where TCore : struct, INf4Core => new()
        {
            _c0 = TCore.Step(s._c0, a.T0, b0, b1),
            _c1 = TCore.Step(s._c1, a.T1, b0, b1),
            _c2 = TCore.Step(s._c2, a.T2, b0, b1),
            _c3 = TCore.Step(s._c3, a.T3, b0, b1),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Scale(F4 c, float factor) => new() { X = c.X * factor, Y = c.Y * factor, Z = c.Z * factor, W = c.W * factor };
}

/// <summary>Rows below rows.</summary>
internal struct Stacked<TFirst, TRest> : ISums<Stacked<TFirst, TRest>>
    where TFirst : struct, ISums<TFirst>
    where TRest : struct, ISums<TRest>
{
    /// <summary>Bytes between the tiles of the activations in shared memory.</summary>
    private const int TileBytes = 1024;

    public TFirst First;
    public TRest Rest;

    public static int Tiles
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFirst.Tiles + TRest.Tiles;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Stacked<TFirst, TRest> Multiply<TCore>(Stacked<TFirst, TRest> sums, Phase weights, uint sharedAddress)
        where TCore : struct, INf4Core => new()
        {
            First = TFirst.Multiply<TCore>(sums.First, weights, sharedAddress),
            Rest = TRest.Multiply<TCore>(sums.Rest, weights, sharedAddress + (uint)(TileBytes * TFirst.Tiles)),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Stacked<TFirst, TRest> MultiplyLow<TCore>(
        Stacked<TFirst, TRest> sums, Fragments factor, ArrayView<U2> low, int row, int lastRow, int rowQuads, int quad, int exists)
        where TCore : struct, INf4Core => new()
        {
            First = TFirst.MultiplyLow<TCore>(sums.First, factor, low, row, lastRow, rowQuads, quad, exists),
            Rest = TRest.MultiplyLow<TCore>(sums.Rest, factor, low, row + 8 * TFirst.Tiles, lastRow, rowQuads, quad, exists),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Stacked<TFirst, TRest> Scale(Stacked<TFirst, TRest> sums, float factor) =>
        new() { First = TFirst.Scale(sums.First, factor), Rest = TRest.Scale(sums.Rest, factor) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TOutput>(Stacked<TFirst, TRest> sums, TOutput output, int row, int column, int rows, int columns, float factor, int accumulate)
        where TOutput : struct, IOutput<TOutput>
    {
        TFirst.Store(sums.First, output, row, column, rows, columns, factor, accumulate);
        TRest.Store(sums.Rest, output, row + 8 * TFirst.Tiles, column, rows, columns, factor, accumulate);
    }
}
