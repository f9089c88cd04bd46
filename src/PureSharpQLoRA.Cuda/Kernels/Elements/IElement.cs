using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Elements;

/// <summary>One stored number, for kernels that work on any size and alignment.</summary>
internal interface IElement<TSelf>
    where TSelf : unmanaged, IElement<TSelf>
{
    static abstract float ToFloat(TSelf element);

    /// <summary>Rounds to nearest, ties to even.</summary>
    static abstract TSelf FromFloat(float value);
}

/// <summary>fp32.</summary>
internal struct SingleElement : IElement<SingleElement>
{
    public float Value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToFloat(SingleElement element) => element.Value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SingleElement FromFloat(float value) => new() { Value = value };
}

/// <summary>fp16.</summary>
internal struct HalfElement : IElement<HalfElement>
{
    public ushort Bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToFloat(HalfElement element) => Ptx.HalfToFloat(element.Bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static HalfElement FromFloat(float value) => new() { Bits = (ushort)Ptx.PackHalves(value, value) };
}

/// <summary>bf16, rounded by integer arithmetic, so that cards without the instruction can write it too.</summary>
internal struct BrainElement : IElement<BrainElement>
{
    public ushort Bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToFloat(BrainElement element) => Interop.IntAsFloat((uint)element.Bits << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static BrainElement FromFloat(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        // The largest payload would carry into the sign: a NaN keeps its upper bits, made quiet.
        uint rounded = (bits & 0x7FFFFFFF) > 0x7F800000 ? bits | 0x400000 : bits + 0x7FFF + (bits >> 16 & 1);
        return new() { Bits = (ushort)(rounded >> 16) };
    }
}
