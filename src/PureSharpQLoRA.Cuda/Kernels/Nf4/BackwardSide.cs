using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// dx = dy·W. The reduction runs over weight rows: the codes of two rows are interleaved before the lookup, so each decoded register already is
/// a pair along the reduction and nothing is transposed. Lanes of group g own the weight columns of one word of codes, 8g to 8g + 7 of the
/// warp's 64; lane t of a group takes the sixteen weight rows from 16t on of each 64.
/// </summary>
internal struct BackwardSide<TRows> : INf4Side<BackwardSide<TRows>>
    where TRows : struct, IRowAccess
{
    private ArrayView<uint> _codes;
    private ArrayView<U4> _scales;

    /// <summary>Words in a row, the lane's word in it, place of the scales of row 0, the lane's first row, the last row.</summary>
    private int _words, _word, _scale, _first, _lastRow;
    private uint _n0, _n1, _n2, _n3, _n4, _n5, _n6, _n7;
    private U4 _eightScales;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BackwardSide<TRows> Start(ArrayView<uint> codes, ArrayView<U4> scales, int firstColumn, int columns, int reduction, int g, int t)
    {
        // A warp that lies outside as a whole reads what exists, and stores nothing.
        int existing = IntrinsicMath.Min(firstColumn, columns - 64);
        BackwardSide<TRows> side = default;
        side._codes = codes;
        side._scales = scales;
        side._words = columns >> 3;
        side._word = (existing >> 3) + g;
        side._scale = (existing >> 6) * (reduction + 7 >> 3);
        side._first = 16 * t;
        side._lastRow = reduction - 1;
        return LoadFirst(side, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Phase DecodeFirst<TCore>(BackwardSide<TRows> s, Nf4Table table)
        where TCore : struct, INf4Core => Decode<TCore>(s, table);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BackwardSide<TRows> LoadSecond(BackwardSide<TRows> side, int step) => LoadCodes(side, step * 64 + side._first + 8);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Phase DecodeSecond<TCore>(BackwardSide<TRows> s, Nf4Table table)
        where TCore : struct, INf4Core => Decode<TCore>(s, table);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BackwardSide<TRows> LoadFirst(BackwardSide<TRows> side, int step) => LoadCodes(side, step * 64 + side._first);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Fragments Factor(BackwardSide<TRows> side, ArrayView<U2> factor, int quad, int quads, int rank)
    {
        ArrayView<U4> eights = factor.Cast<U4>();
        int row = 4 * quad, at = row * side._words + side._word;
        U4 u0 = Ptx.LoadReadOnlyOrZero(ref eights[at], Masks.Less(row, rank)), u1 = Ptx.LoadReadOnlyOrZero(ref eights[at + side._words], Masks.Less(row + 1, rank));
        U4 u2 = Ptx.LoadReadOnlyOrZero(ref eights[at + 2 * side._words], Masks.Less(row + 2, rank));
        U4 u3 = Ptx.LoadReadOnlyOrZero(ref eights[at + 3 * side._words], Masks.Less(row + 3, rank));
        return new()
        {
            T0 = Transpose(u0.X, u1.X, u2.X, u3.X),
            T1 = Transpose(u0.Y, u1.Y, u2.Y, u3.Y),
            T2 = Transpose(u0.Z, u1.Z, u2.Z, u3.Z),
            T3 = Transpose(u0.W, u1.W, u2.W, u3.W),
        };
    }

    /// <summary>Columns past the end must be zero, since the weights that they meet are those of the last rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Load(ArrayView<U4> activations, int row, int rows, int step, int chunk, int reduction) =>
        TRows.Load(activations, row, step * 64 + chunk * 8, reduction, Masks.Less(row, rows));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(uint sharedAddress, ArrayView<U4> activations, int row, int rows, int step, int chunk, int reduction) =>
        Ptx.CopyAsync(
            sharedAddress,
            ref activations[IntrinsicMath.Min(row, rows - 1) * (reduction >> 3) + step * 8 + chunk],
            Masks.Less(step * 64 + chunk * 8, reduction) & 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static BackwardSide<TRows> LoadCodes(BackwardSide<TRows> side, int firstRow)
    {
        BackwardSide<TRows> s = side;
        int row = IntrinsicMath.Min(firstRow, s._lastRow & -8);
        s._n0 = s._codes[row * s._words + s._word];
        s._n1 = s._codes[TRows.Clamp(row + 1, s._lastRow) * s._words + s._word];
        s._n2 = s._codes[TRows.Clamp(row + 2, s._lastRow) * s._words + s._word];
        s._n3 = s._codes[TRows.Clamp(row + 3, s._lastRow) * s._words + s._word];
        s._n4 = s._codes[TRows.Clamp(row + 4, s._lastRow) * s._words + s._word];
        s._n5 = s._codes[TRows.Clamp(row + 5, s._lastRow) * s._words + s._word];
        s._n6 = s._codes[TRows.Clamp(row + 6, s._lastRow) * s._words + s._word];
        s._n7 = s._codes[TRows.Clamp(row + 7, s._lastRow) * s._words + s._word];
        s._eightScales = Ptx.LoadReadOnly(ref s._scales[s._scale + (row >> 3)]);
        return s;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Phase Decode<TCore>(BackwardSide<TRows> s, Nf4Table table)
        where TCore : struct, INf4Core
    {
        U4 even0 = TCore.Weights(table, Nf4Decode.PairEven(s._n0, s._n1), s._eightScales.X), odd0 = TCore.Weights(table, Nf4Decode.PairOdd(s._n0, s._n1), s._eightScales.X);
        U4 even1 = TCore.Weights(table, Nf4Decode.PairEven(s._n2, s._n3), s._eightScales.Y), odd1 = TCore.Weights(table, Nf4Decode.PairOdd(s._n2, s._n3), s._eightScales.Y);
        U4 even2 = TCore.Weights(table, Nf4Decode.PairEven(s._n4, s._n5), s._eightScales.Z), odd2 = TCore.Weights(table, Nf4Decode.PairOdd(s._n4, s._n5), s._eightScales.Z);
        U4 even3 = TCore.Weights(table, Nf4Decode.PairEven(s._n6, s._n7), s._eightScales.W), odd3 = TCore.Weights(table, Nf4Decode.PairOdd(s._n6, s._n7), s._eightScales.W);
        return new() { First = Columns(even0, odd0, even1, odd1), Second = Columns(even2, odd2, even3, odd3) };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Fragments Columns(U4 even0, U4 odd0, U4 even1, U4 odd1) => new()
    {
        T0 = new() { X = even0.X, Y = odd0.X, Z = even1.X, W = odd1.X },
        T1 = new() { X = even0.Y, Y = odd0.Y, Z = even1.Y, W = odd1.Y },
        T2 = new() { X = even0.Z, Y = odd0.Z, Z = even1.Z, W = odd1.Z },
        T3 = new() { X = even0.W, Y = odd0.W, Z = even1.W, W = odd1.W },
    };

    /// <summary>Two columns of four rows, as pairs along the rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Transpose(uint row0, uint row1, uint row2, uint row3) => new()
    {
        X = Nf4Decode.LowHalves(row0, row1),
        Y = Nf4Decode.HighHalves(row0, row1),
        Z = Nf4Decode.LowHalves(row2, row3),
        W = Nf4Decode.HighHalves(row2, row3),
    };
}
