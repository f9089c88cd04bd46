using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// Shared memory, by 32-bit byte addresses (offsets fold into the instructions) or by elements with a constant offset.
internal static partial class Ptx
{
    /// <summary>The shared-space byte address of an element.</summary>
    [IntrinsicImplementation, Ptx("cvt.u32.u64 %0, %1", SharedArguments = 1)]
    public static uint SharedAddress(ref U4 element) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("st.shared.v4.b32 [%0], {%1,%2,%3,%4}")]
    public static void StoreShared(uint sharedAddress, U4 value) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("st.shared.b32 [%0], %1")]
    public static void StoreShared(uint sharedAddress, uint value) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("st.shared.f32 [%0], %1")]
    public static void StoreShared(uint sharedAddress, float value) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("st.shared.v4.f32 [%0], {%1,%2,%3,%4}")]
    public static void StoreShared(uint sharedAddress, F4 value) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("ld.shared.v4.f32 {%0,%1,%2,%3}, [%4]")]
    public static F4 LoadSharedFloats(uint sharedAddress) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("ld.shared.v4.b32 {%0,%1,%2,%3}, [%4]")]
    public static U4 LoadShared16(uint sharedAddress) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("ld.shared.v2.f32 {%0,%1}, [%2]")]
    public static F2 LoadShared8(uint sharedAddress) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("ld.shared.f32 %0, [%1]")]
    public static float LoadShared4(uint sharedAddress) => throw DeviceOnly();

    /// <summary>Sixteen bytes of shared memory.</summary>
    /// <param name="source">An element of shared memory.</param>
    /// <param name="bytes">Constant distance of the value from it.</param>
    [IntrinsicImplementation, Ptx("ld.shared.v4.b32 {%0,%1,%2,%3}, [%4+%5]", SharedArguments = 1, LiteralArguments = 2)]
    public static U4 LoadShared(ref U4 source, int bytes) => throw DeviceOnly();

    /// <inheritdoc cref="LoadShared"/>
    [IntrinsicImplementation, Ptx("st.shared.v4.b32 [%0+%5], {%1,%2,%3,%4}", SharedArguments = 1, LiteralArguments = 4)]
    public static void StoreShared(ref U4 target, U4 value, int bytes) => throw DeviceOnly();

    /// <summary>Copies sixteen bytes from global to shared memory in the background, from sm_80 on.</summary>
    [IntrinsicImplementation, Ptx("cp.async.cg.shared.global [%0], [%1], 16")]
    public static void CopyAsync16(uint sharedAddress, ref U4 source) => throw DeviceOnly();

    /// <summary>
    /// Copies in the background, from sm_80 on: <paramref name="bytes"/> (0 or 16) are read and the rest becomes zero.
    /// </summary>
    /// <param name="target">An element of shared memory.</param>
    /// <param name="source">Not touched where nothing is read.</param>
    /// <param name="targetBytes">Constant distance of the target from its element.</param>
    /// <param name="bytes">0 or 16.</param>
    [IntrinsicImplementation, Ptx("cp.async.cg.shared.global [%0+%2], [%1], 16, %3", SharedArguments = 1, LiteralArguments = 4)]
    public static void CopyAsync(ref U4 target, ref U4 source, int targetBytes, int bytes) => throw DeviceOnly();

    [IntrinsicImplementation, Ptx("cp.async.commit_group")]
    public static void CopyAsyncCommit() => throw DeviceOnly();

    /// <summary>Waits for all of this thread's copies.</summary>
    [IntrinsicImplementation, Ptx("cp.async.wait_group 0")]
    public static void CopyAsyncWait() => throw DeviceOnly();

    /// <summary>Waits until at most one group of this thread's copies is in flight.</summary>
    [IntrinsicImplementation, Ptx("cp.async.wait_group 1")]
    public static void CopyAsyncWaitAllButOne() => throw DeviceOnly();
}
