using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>Four neighbouring elements of a result, at a multiple of their size.</summary>
internal interface IFourElements<TElement>
    where TElement : unmanaged
{
    static abstract F4 Load(ArrayView<TElement> data, int index);

    static abstract void Store(ArrayView<TElement> data, int index, F4 value);
}

/// <summary>fp32.</summary>
internal struct FourSingles : IFourElements<SingleElement>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Load(ArrayView<SingleElement> data, int index) => Ptx.LoadGlobal(ref data.Cast<F4>()[index >> 2]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<SingleElement> data, int index, F4 value) => Ptx.StoreGlobal(ref data.Cast<F4>()[index >> 2], value);
}

/// <summary>fp16.</summary>
internal struct FourHalves : IFourElements<HalfElement>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Load(ArrayView<HalfElement> data, int index)
    {
        U2 v = Ptx.LoadGlobal(ref data.Cast<U2>()[index >> 2]);
        return new() { X = Ptx.LowHalf(v.X), Y = Ptx.HighHalf(v.X), Z = Ptx.LowHalf(v.Y), W = Ptx.HighHalf(v.Y) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<HalfElement> data, int index, F4 value) =>
        Ptx.StoreGlobal(ref data.Cast<U2>()[index >> 2], new U2 { X = Ptx.PackHalves(value.X, value.Y), Y = Ptx.PackHalves(value.Z, value.W) });
}

/// <summary>bf16, from sm_80 on.</summary>
internal struct FourBrains : IFourElements<BrainElement>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Load(ArrayView<BrainElement> data, int index)
    {
        U2 v = Ptx.LoadGlobal(ref data.Cast<U2>()[index >> 2]);
        return new() { X = Low(v.X), Y = High(v.X), Z = Low(v.Y), W = High(v.Y) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<BrainElement> data, int index, F4 value) =>
        Ptx.StoreGlobal(ref data.Cast<U2>()[index >> 2], new U2 { X = Ptx.PackBrains(value.X, value.Y), Y = Ptx.PackBrains(value.Z, value.W) });

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Low(uint pair) => Interop.IntAsFloat(pair << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float High(uint pair) => Interop.IntAsFloat(pair & 0xFFFF0000);
}

/// <summary>Writes accumulators. Lanes exchange pairs of columns, so that each writes four neighbours and a row's 16 columns are whole sectors.</summary>
internal struct ResultWriter<TElement, TFour> : ITileAction<ResultWriter<TElement, TFour>>
    where TElement : unmanaged, IElement<TElement>
    where TFour : struct, IFourElements<TElement>
{
    public ArrayView<TElement> Result;

    /// <summary>A factor for each row, where <see cref="HasRowScales"/> is not 0.</summary>
    public ArrayView<float> RowScales;

    public int Rows, Columns, HasRowScales, Accumulate;

    /// <summary>Not 0 where every group of four columns lies at a multiple of its size.</summary>
    public int Aligned;

    public float Scale;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply(ResultWriter<TElement, TFour> w, F4 left, F4 right, int row, int column)
    {
        // An even lane has columns 2l, 2l + 1 of both halves: it gives those of the right half and takes its neighbour's of the left.
        int lane = Group.IdxX & 3, odd = lane & 1;
        int firstColumn = column + (odd != 0 ? 2 * lane + 6 : 2 * lane), firstRow = row + (Group.IdxX >> 2 & 7);
        StoreRow(w, Exchange(left.X, left.Y, right.X, right.Y, odd), firstRow, firstColumn);
        StoreRow(w, Exchange(left.Z, left.W, right.Z, right.W, odd), firstRow + 8, firstColumn);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Exchange(float left0, float left1, float right0, float right1, int odd)
    {
        float given0 = Ptx.ShuffleXor(odd != 0 ? left0 : right0, 1), given1 = Ptx.ShuffleXor(odd != 0 ? left1 : right1, 1);
        return new()
        {
            X = odd != 0 ? given0 : left0,
            Y = odd != 0 ? given1 : left1,
            Z = odd != 0 ? right0 : given0,
            W = odd != 0 ? right1 : given1,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreRow(ResultWriter<TElement, TFour> w, F4 values, int row, int column)
    {
        if (row < w.Rows && column < w.Columns)
        {
            float scale = w.Scale;
            if (w.HasRowScales != 0)
            {
                scale *= w.RowScales[row];
            }

            int at = row * w.Columns + column;
            F4 v = new() { X = values.X * scale, Y = values.Y * scale, Z = values.Z * scale, W = values.W * scale };
            if (w.Aligned != 0)
            {
                if (w.Accumulate != 0)
                {
                    F4 before = TFour.Load(w.Result, at);
                    v = new() { X = v.X + before.X, Y = v.Y + before.Y, Z = v.Z + before.Z, W = v.W + before.W };
                }

                TFour.Store(w.Result, at, v);
            }
            else
            {
                Store(w, v.X, at, column);
                Store(w, v.Y, at + 1, column + 1);
                Store(w, v.Z, at + 2, column + 2);
                Store(w, v.W, at + 3, column + 3);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(ResultWriter<TElement, TFour> w, float value, int at, int column)
    {
        if (column < w.Columns)
        {
            float sum = value;
            if (w.Accumulate != 0)
            {
                sum += TElement.ToFloat(w.Result[at]);
            }

            w.Result[at] = TElement.FromFloat(sum);
        }
    }
}
