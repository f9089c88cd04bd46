using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Elements;

/// <summary>How eight neighbouring elements lie in global memory, at a multiple of 16 bytes; buffers are views of 16-byte chunks.</summary>
internal interface IVector
{
    /// <summary>Elements [8 index, 8 index + 8).</summary>
    static abstract Eight Load(ArrayView<U4> data, int index);

    static abstract void Store(ArrayView<U4> data, int index, Eight value);
}

/// <summary>fp16: one chunk.</summary>
internal struct HalfVector : IVector
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<U4> data, int index) => Unpack(data[index]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<U4> data, int index, Eight value) => Ptx.StoreGlobal(ref data[index], Pack(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Eight Unpack(U4 v) => new()
    {
        A = new() { X = Ptx.LowHalf(v.X), Y = Ptx.HighHalf(v.X), Z = Ptx.LowHalf(v.Y), W = Ptx.HighHalf(v.Y) },
        B = new() { X = Ptx.LowHalf(v.Z), Y = Ptx.HighHalf(v.Z), Z = Ptx.LowHalf(v.W), W = Ptx.HighHalf(v.W) },
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Pack(Eight e) => new()
    {
        X = Ptx.PackHalves(e.A.X, e.A.Y),
        Y = Ptx.PackHalves(e.A.Z, e.A.W),
        Z = Ptx.PackHalves(e.B.X, e.B.Y),
        W = Ptx.PackHalves(e.B.Z, e.B.W),
    };
}

/// <summary>bf16: one chunk; from sm_80 on.</summary>
internal struct BrainVector : IVector
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<U4> data, int index) => Unpack(data[index]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<U4> data, int index, Eight value) => Ptx.StoreGlobal(ref data[index], Pack(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Eight Unpack(U4 v) => new()
    {
        A = new() { X = Low(v.X), Y = High(v.X), Z = Low(v.Y), W = High(v.Y) },
        B = new() { X = Low(v.Z), Y = High(v.Z), Z = Low(v.W), W = High(v.W) },
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Low(uint pair) => Interop.IntAsFloat(pair << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float High(uint pair) => Interop.IntAsFloat(pair & 0xFFFF0000);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Pack(Eight e) => new()
    {
        X = Ptx.PackBrains(e.A.X, e.A.Y),
        Y = Ptx.PackBrains(e.A.Z, e.A.W),
        Z = Ptx.PackBrains(e.B.X, e.B.Y),
        W = Ptx.PackBrains(e.B.Z, e.B.W),
    };
}

/// <summary>fp32: two chunks.</summary>
internal struct SingleVector : IVector
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Eight Load(ArrayView<U4> data, int index) => new() { A = Unpack(data[2 * index]), B = Unpack(data[2 * index + 1]) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(ArrayView<U4> data, int index, Eight value)
    {
        Ptx.StoreGlobal(ref data[2 * index], Pack(value.A));
        Ptx.StoreGlobal(ref data[2 * index + 1], Pack(value.B));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Unpack(U4 v) => new() { X = Interop.IntAsFloat(v.X), Y = Interop.IntAsFloat(v.Y), Z = Interop.IntAsFloat(v.Z), W = Interop.IntAsFloat(v.W) };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Pack(F4 v) => new() { X = Interop.FloatAsInt(v.X), Y = Interop.FloatAsInt(v.Y), Z = Interop.FloatAsInt(v.Z), W = Interop.FloatAsInt(v.W) };
}
