using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>What is known of the outputs of a weight, which are its rows: how many there are, and how a gradient of them lies.</summary>
internal interface IRowAccess
{
    /// <summary>The index of an element of a group of eight whose first exists; <paramref name="last"/> is the last that does.</summary>
    static abstract int Clamp(int index, int last);

    /// <summary>Elements [column, column + 8) of a row of a matrix with <paramref name="columns"/> columns; zeros where none are.</summary>
    static abstract U4 Load(ArrayView<U4> values, int row, int column, int columns, int exists);
}

/// <summary>A multiple of eight, at multiples of 16 bytes: no check inside a group of eight.</summary>
internal struct AlignedRows : IRowAccess
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Clamp(int index, int last) => index;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Load(ArrayView<U4> values, int row, int column, int columns, int exists) =>
        Ptx.LoadReadOnlyOrZero(ref values[row * (columns >> 3) + (column >> 3)], exists & Masks.Less(column, columns));
}

/// <summary>Any number, anywhere: eight 16-bit loads.</summary>
internal struct AnyRows : IRowAccess
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Clamp(int index, int last) => IntrinsicMath.Min(index, last);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Load(ArrayView<U4> values, int row, int column, int columns, int exists)
    {
        ArrayView<ushort> elements = values.Cast<ushort>();
        int at = row * columns + column, left = columns - column;
        U4 r;
        r.X = Pair(elements, at, left, exists);
        r.Y = Pair(elements, at + 2, left - 2, exists);
        r.Z = Pair(elements, at + 4, left - 4, exists);
        r.W = Pair(elements, at + 6, left - 6, exists);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Pair(ArrayView<ushort> elements, int at, int left, int exists) =>
        Ptx.LoadReadOnlyOrZero(ref elements[at], exists & Masks.Less(0, left)) | Ptx.LoadReadOnlyOrZero(ref elements[at + 1], exists & Masks.Less(1, left)) << 16;
}
