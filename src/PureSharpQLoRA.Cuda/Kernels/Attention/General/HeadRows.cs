using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Attention.General;

/// <summary>The rows of a document in one head of a matrix [tokens, heads * size], of any element type and alignment.</summary>
internal struct HeadRows<TElement>
    where TElement : unmanaged, IElement<TElement>
{
    public ArrayView<TElement> Data;

    /// <summary>Index of the first row's first value, and elements from row to row.</summary>
    public int First, Width;

    /// <summary>Rows that exist; later ones repeat the last.</summary>
    public int Rows;

    /// <summary>Values in a row; later ones are zero.</summary>
    public int Size;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeadRows<TElement> Of(ArrayView<TElement> data, int start, int rows, int head, int heads, int size) => new()
    {
        Data = data,
        First = (start * heads + head) * size,
        Width = heads * size,
        Rows = rows,
        Size = size,
    };

    /// <summary>Brings a 32x32 block into shared memory with the columns as steps: place (step d, group g) holds column d of rows 4g to 4g + 3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadColumns(HeadRows<TElement> rows, int firstRow, int firstColumn, uint target)
    {
        // Neighbouring lanes take every fourth column: all sectors of a row are read whole, and the stores meet no bank conflict.
        int lane = Group.IdxX & 31, step = (lane & 7) * 4 + (lane >> 3), column = firstColumn + step;
        bool inside = column < rows.Size;
        int place = rows.First + Math.Min(column, rows.Size - 1);
        for (int group = Group.IdxX >> 5; group < 8; group += Block.Threads / 32)
        {
            int row = firstRow + 4 * group;
            float x = Read(rows, row, place), y = Read(rows, row + 1, place), z = Read(rows, row + 2, place), w = Read(rows, row + 3, place);
            F4 value = new() { X = inside ? x : 0f, Y = inside ? y : 0f, Z = inside ? z : 0f, W = inside ? w : 0f };
            Ptx.StoreShared(SharedBlock.Place(target, step, group), value);
        }
    }

    /// <summary>Brings <paramref name="steps"/> rows of 32 columns into shared memory with the rows as steps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadRows(HeadRows<TElement> rows, int firstRow, int steps, int firstColumn, uint target)
    {
        int lane = Group.IdxX & 31, column = firstColumn + lane;
        int place = rows.First + Math.Min(column, rows.Size - 1);
        for (int step = Group.IdxX >> 5; step < steps; step += Block.Threads / 32)
        {
            Ptx.StoreShared(SharedBlock.Place(target, step, lane >> 2) + (uint)(lane & 3) * 4, Read(rows, firstRow + step, place));
        }
    }

    /// <summary>Stores a value, unless it lies in a column that does not exist.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(HeadRows<TElement> rows, int row, int column, float value)
    {
        if (column < rows.Size)
        {
            rows.Data[rows.First + row * rows.Width + column] = TElement.FromFloat(value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Read(HeadRows<TElement> rows, int row, int place) =>
        TElement.ToFloat(rows.Data[place + Math.Min(row, rows.Rows - 1) * rows.Width]);
}
