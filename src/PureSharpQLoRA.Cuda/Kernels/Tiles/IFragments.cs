namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>
/// The left operand of a product, 16 rows by 16 * Steps columns of 16-bit elements: in registers, or in shared memory and
/// read again for each product.
/// </summary>
internal interface IFragments<TSelf>
    where TSelf : struct, IFragments<TSelf>
{
    /// <summary>Number of 16-column steps.</summary>
    static abstract int Steps { get; }

    /// <summary>True when the tile in shared memory must stay there.</summary>
    static abstract bool StaysShared { get; }

    static abstract TSelf Load<TLayout>(LaneAddress a, uint column)
        where TLayout : struct, ITileLayout;

    /// <summary>sum += a * B^T, where B [columns of the sum, 16 * Steps] lies row-major in shared memory.</summary>
    static abstract TSum MultiplyByRows<TSum, TCore, TLayout>(TSelf a, TSum sum, LaneAddress b, uint stride, uint column)
        where TSum : struct, IAccumulators<TSum>
        where TCore : struct, ITensorCore
        where TLayout : struct, ITileLayout;
}
