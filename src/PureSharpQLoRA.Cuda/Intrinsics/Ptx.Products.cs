using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// What products need beyond the rest: constant offsets in shared memory folded into the instruction, copies that end with the operand.
internal static partial class Ptx
{
    /// <summary>Four neighbouring floats of shared memory.</summary>
    /// <param name="sharedAddress">A multiple of 16.</param>
    /// <param name="bytes">Constant distance of the floats from it.</param>
    [IntrinsicImplementation, Ptx("ld.shared.v4.f32 {%0,%1,%2,%3}, [%4+%5]", LiteralArguments = 2)]
    public static F4 LoadSharedFour(uint sharedAddress, int bytes) => throw DeviceOnly();

    /// <summary>One float of shared memory.</summary>
    /// <param name="sharedAddress">A multiple of 4.</param>
    /// <param name="bytes">Constant distance of the float from it.</param>
    [IntrinsicImplementation, Ptx("ld.shared.f32 %0, [%1+%2]", LiteralArguments = 2)]
    public static float LoadSharedSingle(uint sharedAddress, int bytes) => throw DeviceOnly();

    /// <inheritdoc cref="LoadSharedSingle"/>
    [IntrinsicImplementation, Ptx("st.shared.f32 [%0+%2], %1", LiteralArguments = 4)]
    public static void StoreSharedSingle(uint sharedAddress, float value, int bytes) => throw DeviceOnly();

    /// <summary>Sixteen bytes to shared memory.</summary>
    /// <param name="sharedAddress">A multiple of 16.</param>
    /// <param name="value">The bytes.</param>
    /// <param name="bytes">Constant distance of the target from it.</param>
    [IntrinsicImplementation, Ptx("st.shared.v4.b32 [%0+%5], {%1,%2,%3,%4}", LiteralArguments = 4)]
    public static void StoreSharedChunk(uint sharedAddress, U4 value, int bytes) => throw DeviceOnly();

    /// <summary>Copies sixteen bytes in the background, or writes zeros where <paramref name="bytes"/> is 0 and not 16; from sm_80 on.</summary>
    /// <param name="sharedAddress">A multiple of 16.</param>
    /// <param name="source">Not touched where nothing is read.</param>
    /// <param name="bytes">0 or 16.</param>
    /// <param name="offset">Constant distance of the target from its address.</param>
    [IntrinsicImplementation, Ptx("cp.async.cg.shared.global [%0+%3], [%1], 16, %2", LiteralArguments = 8)]
    public static void CopyAsyncOrZero(uint sharedAddress, ref U4 source, int bytes, int offset) => throw DeviceOnly();

    /// <summary>As <see cref="LoadMatrices(uint)"/>, at a constant distance from the address.</summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4+%5]", LiteralArguments = 2)]
    public static U4 LoadMatrices(uint sharedAddress, int bytes) => throw DeviceOnly();

    /// <summary>As <see cref="LoadMatricesTransposed(uint)"/>, at a constant distance from the address.</summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4+%5]", LiteralArguments = 2)]
    public static U4 LoadMatricesTransposed(uint sharedAddress, int bytes) => throw DeviceOnly();

    /// <summary>Four floats of memory that the same kernel writes, at a multiple of 16 bytes.</summary>
    [IntrinsicImplementation, Ptx("ld.global.v4.f32 {%0,%1,%2,%3}, [%4]")]
    public static F4 LoadGlobal(ref F4 element) => element;

    /// <inheritdoc cref="LoadGlobal(ref F4)"/>
    [IntrinsicImplementation, Ptx("ld.global.v2.b32 {%0,%1}, [%2]")]
    public static U2 LoadGlobal(ref U2 element) => element;

    [IntrinsicImplementation, Ptx("st.global.v4.f32 [%0], {%1,%2,%3,%4}")]
    public static void StoreGlobal(ref F4 element, F4 value) => element = value;

    [IntrinsicImplementation, Ptx("st.global.v2.b32 [%0], {%1,%2}")]
    public static void StoreGlobal(ref U2 element, U2 value) => element = value;
}
