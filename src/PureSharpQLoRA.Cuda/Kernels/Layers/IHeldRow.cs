using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Layers;

/// <summary>
/// A thread's share of a row, held in registers so that the row is read once: packs as far apart as there are lanes for the row. What lies past the
/// end of the row is zero, and is not written.
/// </summary>
internal interface IHeldRow<TSelf>
    where TSelf : struct, IHeldRow<TSelf>
{
    /// <summary>Packs a thread.</summary>
    static abstract int Packs { get; }

    static abstract TSelf Load<TPack>(ArrayView<U4> data, in RowPlace place)
        where TPack : struct, IPack<U4>;

    /// <summary>The same elements of an fp32 array.</summary>
    static abstract TSelf LoadSingles<TPack>(ArrayView<float> data, in RowPlace place)
        where TPack : struct, IPack<U4>;

    static abstract void Store<TPack>(ArrayView<U4> data, in RowPlace place, TSelf row)
        where TPack : struct, IPack<U4>;

    static abstract void StoreSingles<TPack>(ArrayView<float> data, in RowPlace place, TSelf row)
        where TPack : struct, IPack<U4>;

    static abstract float Dot(TSelf a, TSelf b);

    static abstract TSelf Multiply(TSelf a, TSelf b);

    /// <summary>a * scale + b.</summary>
    static abstract TSelf ScaleAdd(TSelf a, float scale, TSelf b);

    static abstract TSelf Scale(TSelf a, float scale);

    /// <summary>What the lane whose number differs in the bits of the mask holds.</summary>
    static abstract TSelf ShuffleXor(TSelf a, int mask);
}

/// <summary>Which packs of which row a thread takes.</summary>
internal struct RowPlace
{
    /// <summary>The row's first pack.</summary>
    public int Start;

    /// <summary>The thread's first pack in the row; the next is <see cref="Lanes"/> further.</summary>
    public int First;

    /// <summary>Threads of a row.</summary>
    public int Lanes;

    /// <summary>Packs of the row.</summary>
    public int End;

    /// <summary>The place of what follows after some packs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly RowPlace After(int packs) => new() { Start = Start, First = First + packs * Lanes, Lanes = Lanes, End = End };
}

/// <summary>One pack a thread.</summary>
internal struct HeldPack : IHeldRow<HeldPack>
{
    private Eight _value;

    public static int Packs
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeldPack Load<TPack>(ArrayView<U4> data, in RowPlace place)
        where TPack : struct, IPack<U4>
    {
        HeldPack row = default;
        if (place.First < place.End)
        {
            row._value = TPack.Load(data, place.Start + place.First);
        }

        return row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeldPack LoadSingles<TPack>(ArrayView<float> data, in RowPlace place)
        where TPack : struct, IPack<U4>
    {
        HeldPack row = default;
        if (place.First < place.End)
        {
            row._value = TPack.LoadSingles(data, place.Start + place.First);
        }

        return row;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TPack>(ArrayView<U4> data, in RowPlace place, HeldPack row)
        where TPack : struct, IPack<U4>
    {
        if (place.First < place.End)
        {
            TPack.Store(data, place.Start + place.First, row._value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSingles<TPack>(ArrayView<float> data, in RowPlace place, HeldPack row)
        where TPack : struct, IPack<U4>
    {
        if (place.First < place.End)
        {
            TPack.StoreSingles(data, place.Start + place.First, row._value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(HeldPack a, HeldPack b) => Eight.Dot(a._value, b._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeldPack Multiply(HeldPack a, HeldPack b) => new() { _value = Eight.Multiply(a._value, b._value) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeldPack ScaleAdd(HeldPack a, float scale, HeldPack b) => new() { _value = Eight.ScaleAdd(a._value, scale, b._value) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeldPack Scale(HeldPack a, float scale) => new() { _value = Eight.Scale(a._value, scale) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HeldPack ShuffleXor(HeldPack a, int mask) => new() { _value = Eight.ShuffleXor(a._value, mask) };
}

/// <summary>More than one pack a thread.</summary>
internal struct JoinedRow<TFirst, TRest> : IHeldRow<JoinedRow<TFirst, TRest>>
    where TFirst : struct, IHeldRow<TFirst>
    where TRest : struct, IHeldRow<TRest>
{
    private TFirst _first;
    private TRest _rest;

    public static int Packs
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => TFirst.Packs + TRest.Packs;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedRow<TFirst, TRest> Load<TPack>(ArrayView<U4> data, in RowPlace place)
        where TPack : struct, IPack<U4> => new()
        {
            _first = TFirst.Load<TPack>(data, place),
            _rest = TRest.Load<TPack>(data, place.After(TFirst.Packs)),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedRow<TFirst, TRest> LoadSingles<TPack>(ArrayView<float> data, in RowPlace place)
        where TPack : struct, IPack<U4> => new()
        {
            _first = TFirst.LoadSingles<TPack>(data, place),
            _rest = TRest.LoadSingles<TPack>(data, place.After(TFirst.Packs)),
        };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TPack>(ArrayView<U4> data, in RowPlace place, JoinedRow<TFirst, TRest> row)
        where TPack : struct, IPack<U4>
    {
        TFirst.Store<TPack>(data, place, row._first);
        TRest.Store<TPack>(data, place.After(TFirst.Packs), row._rest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSingles<TPack>(ArrayView<float> data, in RowPlace place, JoinedRow<TFirst, TRest> row)
        where TPack : struct, IPack<U4>
    {
        TFirst.StoreSingles<TPack>(data, place, row._first);
        TRest.StoreSingles<TPack>(data, place.After(TFirst.Packs), row._rest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Dot(JoinedRow<TFirst, TRest> a, JoinedRow<TFirst, TRest> b) => TFirst.Dot(a._first, b._first) + TRest.Dot(a._rest, b._rest);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedRow<TFirst, TRest> Multiply(JoinedRow<TFirst, TRest> a, JoinedRow<TFirst, TRest> b) => new()
    {
        _first = TFirst.Multiply(a._first, b._first),
        _rest = TRest.Multiply(a._rest, b._rest),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedRow<TFirst, TRest> ScaleAdd(JoinedRow<TFirst, TRest> a, float scale, JoinedRow<TFirst, TRest> b) => new()
    {
        _first = TFirst.ScaleAdd(a._first, scale, b._first),
        _rest = TRest.ScaleAdd(a._rest, scale, b._rest),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedRow<TFirst, TRest> Scale(JoinedRow<TFirst, TRest> a, float scale) => new()
    {
        _first = TFirst.Scale(a._first, scale),
        _rest = TRest.Scale(a._rest, scale),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static JoinedRow<TFirst, TRest> ShuffleXor(JoinedRow<TFirst, TRest> a, int mask) => new()
    {
        _first = TFirst.ShuffleXor(a._first, mask),
        _rest = TRest.ShuffleXor(a._rest, mask),
    };
}
