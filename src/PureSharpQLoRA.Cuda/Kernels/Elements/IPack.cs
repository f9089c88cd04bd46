using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Elements;

/// <summary>
/// The neighbouring elements that a thread takes at a time, so that one kernel serves both the general and the wide accesses. A pack of fewer than
/// eight elements leaves the rest of the <see cref="Eight"/> zero, and what is computed from zeros alone is removed by the compilers.
/// </summary>
/// <typeparam name="TStorage">What the views count: the elements themselves, or chunks of 16 bytes.</typeparam>
internal interface IPack<TStorage>
    where TStorage : unmanaged
{
    /// <summary>How many elements there are.</summary>
    static abstract int Elements { get; }

    /// <summary>Elements [Elements * index, Elements * (index + 1)).</summary>
    static abstract Eight Load(ArrayView<TStorage> data, int index);

    static abstract void Store(ArrayView<TStorage> data, int index, Eight value);

    /// <summary>The same elements of an fp32 array that goes with the tensor: weights, factors, sums.</summary>
    static abstract Eight LoadSingles(ArrayView<float> data, int index);

    static abstract void StoreSingles(ArrayView<float> data, int index, Eight value);
}

/// <summary>One element, at any address.</summary>
internal struct ElementPack<T> : IPack<T>
    where T : unmanaged, IElement<T>
{
    public static int Elements
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<T> data, int index)
    {
        Eight value = default;
        value.A.X = T.ToFloat(data[index]);
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<T> data, int index, Eight value) => data[index] = T.FromFloat(value.A.X);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight LoadSingles(ArrayView<float> data, int index)
    {
        Eight value = default;
        value.A.X = data[index];
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSingles(ArrayView<float> data, int index, Eight value) => data[index] = value.A.X;
}

/// <summary>Eight elements of 16 bits: one chunk.</summary>
internal struct EightPack<TVector> : IPack<U4>
    where TVector : struct, IVector
{
    public static int Elements
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 8;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<U4> data, int index) => TVector.Load(data, index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<U4> data, int index, Eight value) => TVector.Store(data, index, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight LoadSingles(ArrayView<float> data, int index) => new()
    {
        A = Ptx.LoadGlobal16(ref data[8 * index]),
        B = Ptx.LoadGlobal16(ref data[8 * index + 4]),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSingles(ArrayView<float> data, int index, Eight value)
    {
        Ptx.StoreGlobal(ref data[8 * index], value.A);
        Ptx.StoreGlobal(ref data[8 * index + 4], value.B);
    }
}

/// <summary>
/// Four elements of fp32: one chunk. Eight would make the lanes of a warp step over every second chunk, so that each access would use half of the
/// 32-byte sectors it touches.
/// </summary>
internal struct QuadPack : IPack<U4>
{
    public static int Elements
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<U4> data, int index)
    {
        U4 v = data[index];
        Eight value = default;
        value.A = new() { X = Interop.IntAsFloat(v.X), Y = Interop.IntAsFloat(v.Y), Z = Interop.IntAsFloat(v.Z), W = Interop.IntAsFloat(v.W) };
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<U4> data, int index, Eight value) => Ptx.StoreGlobal(ref data[index], new()
    {
        X = Interop.FloatAsInt(value.A.X),
        Y = Interop.FloatAsInt(value.A.Y),
        Z = Interop.FloatAsInt(value.A.Z),
        W = Interop.FloatAsInt(value.A.W),
    });

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight LoadSingles(ArrayView<float> data, int index)
    {
        Eight value = default;
        value.A = Ptx.LoadGlobal16(ref data[4 * index]);
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreSingles(ArrayView<float> data, int index, Eight value) => Ptx.StoreGlobal(ref data[4 * index], value.A);
}
