using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>A lane's view of a tile: the address of its row and its place within each 32 bytes.</summary>
internal struct LaneAddress
{
    public uint Row, Lane;

    /// <summary>For ldmatrix of an operand stored along the summed dimension (two groups of eight rows by two chunks).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LaneAddress OfRows<TLayout>(uint tile, uint stride, int lane)
        where TLayout : struct, ITileLayout
    {
        uint row = (uint)((lane & 7) + (lane >> 4 << 3)), chunk = (uint)(lane >> 3 & 1);
        return Pin(tile + row * stride, TLayout.Lane(row, chunk));
    }

    /// <summary>For ldmatrix of a left operand, or of a right operand stored across the summed dimension (transposed).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LaneAddress OfColumns<TLayout>(uint tile, uint stride, int lane)
        where TLayout : struct, ITileLayout
    {
        uint row = (uint)(lane & 15), chunk = (uint)(lane >> 4);
        return Pin(tile + row * stride, TLayout.Lane(row, chunk));
    }

    /// <summary>The same place a multiple of 16 rows below, or a multiple of 128 bytes to the right.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LaneAddress Beyond(LaneAddress a, uint bytes) => new() { Row = a.Row + bytes, Lane = a.Lane };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static LaneAddress Pin(uint row, uint lane) => new() { Row = Ptx.Pin(row), Lane = Ptx.Pin(lane) };
}
