using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// y = x·Wᵀ. Lanes of group g own weight rows 8g to 8g + 7 of the warp's 64: row g of fragment i is weight row 8g + 2i, row g + 8 is 8g + 2i + 1.
/// Lane t of a group takes the sixteen neighbouring inputs from 16t on of each 64, which the order of the sum leaves free.
/// </summary>
internal struct ForwardSide<TRows> : INf4Side<ForwardSide<TRows>>
    where TRows : struct, IRowAccess
{
    private ArrayView<U2> _codes;
    private ArrayView<U4> _scales;

    /// <summary>Place of the first code, sixteens in a row, the last of the eight rows that exists.</summary>
    private int _code, _sixteens, _last;

    /// <summary>Place of the scales, and their distance from one step to the next.</summary>
    private int _scale, _scaleStride;
    private U2 _n0, _n1, _n2, _n3, _n4, _n5, _n6, _n7;
    private U4 _eightScales;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ForwardSide<TRows> Start(ArrayView<uint> codes, ArrayView<U4> scales, int firstColumn, int columns, int reduction, int g, int t)
    {
        int row = IntrinsicMath.Min(firstColumn + 8 * g, columns - 1 & -8), sixteens = reduction >> 4;
        ForwardSide<TRows> side = default;
        side._codes = codes.Cast<U2>();
        side._scales = scales;
        side._code = row * sixteens + t;
        side._sixteens = sixteens;
        side._last = columns - 1 - row;
        side._scale = row >> 3;
        side._scaleStride = columns + 7 >> 3;
        return LoadFirst(side, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Phase DecodeFirst<TCore>(ForwardSide<TRows> s, Nf4Table table)
        where TCore : struct, INf4Core => Decode<TCore>(s, table, s._n0.X, s._n1.X, s._n2.X, s._n3.X, s._n4.X, s._n5.X, s._n6.X, s._n7.X);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ForwardSide<TRows> LoadSecond(ForwardSide<TRows> side, int step) => side;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Phase DecodeSecond<TCore>(ForwardSide<TRows> s, Nf4Table table)
        where TCore : struct, INf4Core => Decode<TCore>(s, table, s._n0.Y, s._n1.Y, s._n2.Y, s._n3.Y, s._n4.Y, s._n5.Y, s._n6.Y, s._n7.Y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ForwardSide<TRows> LoadFirst(ForwardSide<TRows> side, int step)
    {
        ForwardSide<TRows> s = side;
        int code = s._code + step * 4;
        s._n0 = Ptx.LoadReadOnly(ref s._codes[code]);
        s._n1 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(1, s._last) * s._sixteens]);
        s._n2 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(2, s._last) * s._sixteens]);
        s._n3 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(3, s._last) * s._sixteens]);
        s._n4 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(4, s._last) * s._sixteens]);
        s._n5 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(5, s._last) * s._sixteens]);
        s._n6 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(6, s._last) * s._sixteens]);
        s._n7 = Ptx.LoadReadOnly(ref s._codes[code + TRows.Clamp(7, s._last) * s._sixteens]);
        s._eightScales = Ptx.LoadReadOnly(ref s._scales[s._scale + step * s._scaleStride]);
        return s;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Fragments Factor(ForwardSide<TRows> side, ArrayView<U2> factor, int quad, int quads, int rank)
    {
        int first = side._scale * 8, exists = Masks.Less(quad, quads);
        U2 u0 = Ptx.LoadReadOnlyOrZero(ref factor[first * quads + quad], exists);
        U2 u1 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(1, side._last)) * quads + quad], exists);
        U2 u2 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(2, side._last)) * quads + quad], exists);
        U2 u3 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(3, side._last)) * quads + quad], exists);
        U2 u4 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(4, side._last)) * quads + quad], exists);
        U2 u5 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(5, side._last)) * quads + quad], exists);
        U2 u6 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(6, side._last)) * quads + quad], exists);
        U2 u7 = Ptx.LoadReadOnlyOrZero(ref factor[(first + TRows.Clamp(7, side._last)) * quads + quad], exists);
        return new() { T0 = Rows(u0, u1), T1 = Rows(u2, u3), T2 = Rows(u4, u5), T3 = Rows(u6, u7) };
    }

    /// <summary>Rows past the end load nothing: what comes of them is not stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Load(ArrayView<U4> activations, int row, int rows, int step, int chunk, int reduction) =>
        Ptx.LoadReadOnlyIf(ref activations[row * (reduction >> 3) + step * 8 + chunk], Masks.Less(row, rows) & Masks.Less(step, reduction >> 6));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Copy(uint sharedAddress, ArrayView<U4> activations, int row, int rows, int step, int chunk, int reduction) =>
        Ptx.CopyAsync16(sharedAddress, ref activations[IntrinsicMath.Min(row, rows - 1) * (reduction >> 3) + step * 8 + chunk]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Phase Decode<TCore>(ForwardSide<TRows> s, Nf4Table table, uint n0, uint n1, uint n2, uint n3, uint n4, uint n5, uint n6, uint n7)
        where TCore : struct, INf4Core
    {
        U4 scale = s._eightScales;
        U4 r0 = TCore.Weights(table, n0, Nf4Decode.LowHalves(scale.X, scale.X)), r1 = TCore.Weights(table, n1, Nf4Decode.HighHalves(scale.X, scale.X));
        U4 r2 = TCore.Weights(table, n2, Nf4Decode.LowHalves(scale.Y, scale.Y)), r3 = TCore.Weights(table, n3, Nf4Decode.HighHalves(scale.Y, scale.Y));
        U4 r4 = TCore.Weights(table, n4, Nf4Decode.LowHalves(scale.Z, scale.Z)), r5 = TCore.Weights(table, n5, Nf4Decode.HighHalves(scale.Z, scale.Z));
        U4 r6 = TCore.Weights(table, n6, Nf4Decode.LowHalves(scale.W, scale.W)), r7 = TCore.Weights(table, n7, Nf4Decode.HighHalves(scale.W, scale.W));
        return new()
        {
            First = new() { T0 = FirstPairs(r0, r1), T1 = FirstPairs(r2, r3), T2 = FirstPairs(r4, r5), T3 = FirstPairs(r6, r7) },
            Second = new() { T0 = SecondPairs(r0, r1), T1 = SecondPairs(r2, r3), T2 = SecondPairs(r4, r5), T3 = SecondPairs(r6, r7) },
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Rows(U2 even, U2 odd) => new() { X = even.X, Y = odd.X, Z = even.Y, W = odd.Y };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 FirstPairs(U4 even, U4 odd) => new() { X = even.X, Y = odd.X, Z = even.Y, W = odd.Y };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 SecondPairs(U4 even, U4 odd) => new() { X = even.Z, Y = odd.Z, Z = even.W, W = odd.W };
}
