using System.Runtime.CompilerServices;
using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// Global memory: wide loads through the read-only path (the same kernel must not write the data), predicated loads, wide stores.
internal static partial class Ptx
{
    [IntrinsicImplementation, Ptx("ld.global.nc.v4.b32 {%0,%1,%2,%3}, [%4]")]
    public static U4 LoadReadOnly(ref U4 element) => element;

    [IntrinsicImplementation, Ptx("ld.global.nc.v2.b32 {%0,%1}, [%2]")]
    public static U2 LoadReadOnly(ref U2 element) => element;

    /// <summary>Loads where <paramref name="exists"/> is not 0; otherwise the result is whatever was there. No branch.</summary>
    [IntrinsicImplementation, Ptx("{.reg .pred p; setp.ne.s32 p, %5, 0; @p ld.global.nc.v4.b32 {%0,%1,%2,%3}, [%4];}")]
    public static U4 LoadReadOnlyIf(ref U4 source, int exists) => throw DeviceOnly();

    /// <summary>Loads where <paramref name="exists"/> is not 0, else zeros. No branch.</summary>
    [IntrinsicImplementation, Ptx("{.reg .pred p; setp.ne.s32 p, %5, 0; mov.b32 %0, 0; mov.b32 %1, 0; mov.b32 %2, 0; mov.b32 %3, 0; @p ld.global.nc.v4.b32 {%0,%1,%2,%3}, [%4];}")]
    public static U4 LoadReadOnlyOrZero(ref U4 source, int exists) => throw DeviceOnly();

    /// <inheritdoc cref="LoadReadOnlyOrZero(ref U4, int)"/>
    [IntrinsicImplementation, Ptx("{.reg .pred p; setp.ne.s32 p, %3, 0; mov.b32 %0, 0; mov.b32 %1, 0; @p ld.global.nc.v2.b32 {%0,%1}, [%2];}")]
    public static U2 LoadReadOnlyOrZero(ref U2 source, int exists) => throw DeviceOnly();

    /// <inheritdoc cref="LoadReadOnlyOrZero(ref U4, int)"/>
    [IntrinsicImplementation, Ptx("{.reg .pred p; setp.ne.s32 p, %2, 0; mov.b32 %0, 0; @p ld.global.nc.b32 %0, [%1];}")]
    public static uint LoadReadOnlyOrZero(ref uint source, int exists) => throw DeviceOnly();

    /// <inheritdoc cref="LoadReadOnlyOrZero(ref U4, int)"/>
    [IntrinsicImplementation, Ptx("{.reg .pred p; setp.ne.s32 p, %2, 0; mov.b32 %0, 0; @p ld.global.nc.u16 %0, [%1];}")]
    public static uint LoadReadOnlyOrZero(ref ushort source, int exists) => throw DeviceOnly();

    /// <summary>Four neighbouring floats; the first must lie at a multiple of 16 bytes.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v4.f32 {%0,%1,%2,%3}, [%4]")]
    public static F4 LoadGlobal16(ref float source) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("st.global.v4.b32 [%0], {%1,%2,%3,%4}")]
    public static void StoreGlobal(ref U4 element, U4 value) => element = value;

    /// <summary>Stores 16 bytes at an address that the caller knows to be aligned.</summary>
    [IntrinsicImplementation, Ptx("st.global.v4.b32 [%0], {%1,%2,%3,%4}")]
    public static void StoreGlobal(ref ushort target, U4 value) => throw DeviceOnly();

    /// <inheritdoc cref="StoreGlobal(ref ushort, U4)"/>
    [IntrinsicImplementation, Ptx("st.global.v4.f32 [%0], {%1,%2,%3,%4}")]
    public static void StoreGlobal(ref float target, F4 value) => throw DeviceOnly();

    /// <summary>Two neighbouring floats; the first must lie at a multiple of eight bytes.</summary>
    [IntrinsicImplementation, Ptx("st.global.v2.f32 [%0], {%1,%2}")]
    public static void StoreGlobal(ref float element, float first, float second)
    {
        element = first;
        Unsafe.Add(ref element, 1) = second;
    }
}
