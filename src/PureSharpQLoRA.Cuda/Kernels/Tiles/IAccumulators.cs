using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>
/// A warp's fp32 accumulators: 16 rows by 16 * Tiles columns. Built from <see cref="Tile"/> and <see cref="Join{TLeft, TRight}"/>,
/// so that every loop over tiles is unrolled when ILGPU compiles the closed type.
/// </summary>
internal interface IAccumulators<TSelf>
    where TSelf : struct, IAccumulators<TSelf>
{
    /// <summary>Number of 16-column tiles.</summary>
    static abstract int Tiles { get; }

    /// <summary>sum += a * B^T for one step of 16 in the summed dimension; B's rows are the columns of the sum.</summary>
    static abstract TSelf MultiplyByRows<TCore, TLayout>(TSelf sum, U4 a, LaneAddress b, uint stride, uint column)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout;

    /// <summary>sum += a * B for one step of 16 in the summed dimension; B's columns are the columns of the sum.</summary>
    static abstract TSelf MultiplyByColumns<TCore, TLayout>(TSelf sum, U4 a, LaneAddress b, uint column)
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout;

    /// <summary>sum += rounded(left) * B, where B [16 * Tiles, columns of the sum] lies row-major in shared memory.</summary>
    static abstract TSum MultiplyInto<TSum, TCore, TLayout>(TSelf left, TSum sum, LaneAddress b, uint stride)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout;

    static abstract TSelf Map<TMap>(TSelf a, TMap map, int column)
        where TMap : struct, ITileMap<TMap>;

    static abstract TSelf Zip<TZip>(TSelf a, TSelf b, TZip zip, int column)
        where TZip : struct, ITileZip<TZip>;

    static abstract TFold Fold<TFold>(TSelf a, TFold state, int column)
        where TFold : struct, ITileFold<TFold>;
}
