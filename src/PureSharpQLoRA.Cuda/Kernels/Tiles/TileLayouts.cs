using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>Where a row-major tile of 16-bit elements lies in shared memory so that neither ldmatrix nor a copy of whole rows meets a bank conflict.</summary>
internal interface ITileLayout
{
    /// <summary>Bytes from one row to the next, for rows of <paramref name="rowBytes"/> bytes.</summary>
    static abstract uint Stride(uint rowBytes);

    /// <summary>Byte offset of a 16-byte chunk of a row.</summary>
    static abstract uint Chunk(uint row, uint chunk, uint stride);

    /// <summary>What <see cref="At"/> combines the column of a row with; <paramref name="chunk"/> is the lane's, 0 or 1.</summary>
    static abstract uint Lane(uint row, uint chunk);

    /// <summary>Address of byte <paramref name="column"/> (a multiple of 16) of a row, plus the lane's chunk.</summary>
    static abstract uint At(uint rowAddress, uint lane, uint column);
}

/// <summary>Rows padded by 16 bytes. A copy is free of conflicts where rows have a multiple of eight chunks.</summary>
internal struct PaddedRows : ITileLayout
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Stride(uint rowBytes) => rowBytes + 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Chunk(uint row, uint chunk, uint stride) => row * stride + chunk * 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Lane(uint row, uint chunk) => chunk * 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint At(uint rowAddress, uint lane, uint column) => rowAddress + lane + column;
}

/// <summary>
/// Rows without padding whose chunks are permuted in aligned groups of 2, 4 or 8: the largest of these that divides the chunks in a row. Chunk c of
/// row r lies at c ^ (r · group / 8 % group), so that eight rows at one column, and eight neighbouring chunks, lie in different banks.
/// </summary>
internal struct SwizzledRows<TGroup> : ITileLayout
    where TGroup : struct, ICount
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Stride(uint rowBytes) => rowBytes;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Chunk(uint row, uint chunk, uint stride) => row * stride + (chunk ^ Permutation(row)) * 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Lane(uint row, uint chunk) => (chunk ^ Permutation(row)) * 16;

    // Only the bits within a group are permuted, so that multiples of its size stay plain offsets.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint At(uint rowAddress, uint lane, uint column)
    {
        uint within = 16 * (uint)TGroup.Value - 1;
        return rowAddress + (lane ^ column & within) + (column & ~within);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Permutation(uint row) => row / (8 / (uint)TGroup.Value) & ((uint)TGroup.Value - 1);
}
