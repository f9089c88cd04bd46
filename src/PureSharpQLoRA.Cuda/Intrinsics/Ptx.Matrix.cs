using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

/// <summary>
/// The PTX instructions that kernels use beyond what ILGPU emits. Those of a whole warp, and those on addresses in shared memory, exist on a
/// device only: their C# bodies throw. The other parts hold memory, arithmetic and conversions.
/// </summary>
internal static partial class Ptx
{
    /// <summary>c += a·b, one m16n8k8 product of halves, from sm_75 on.</summary>
    [IntrinsicImplementation, Ptx("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%8,%9}, {%10}, {%4,%5,%6,%7}")]
    public static F4 MultiplyAdd16x8x8(F4 c, uint a0, uint a1, uint b0) => throw DeviceOnly();

    /// <summary>c += a·b, one m16n8k16 product of halves, from sm_80 on.</summary>
    [IntrinsicImplementation, Ptx("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%8,%9,%10,%11}, {%12,%13}, {%4,%5,%6,%7}")]
    public static F4 MultiplyAdd16x8x16(F4 c, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1) => throw DeviceOnly();

    /// <summary>c += a·b, one m16n8k16 product of bf16, from sm_80 on.</summary>
    [IntrinsicImplementation, Ptx("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%8,%9,%10,%11}, {%12,%13}, {%4,%5,%6,%7}")]
    public static F4 MultiplyAddBrain16x8x16(F4 c, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1) => throw DeviceOnly();

    /// <summary>Four 8x8 matrices of 16-bit elements; lanes 8j..8j+7 give the row addresses of matrix j.</summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4]")]
    public static U4 LoadMatrices(uint sharedAddress) => throw DeviceOnly();

    /// <summary>Four 8x8 matrices of 16-bit elements, each transposed.</summary>
    [IntrinsicImplementation, Ptx("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4]")]
    public static U4 LoadMatricesTransposed(uint sharedAddress) => throw DeviceOnly();

    /// <summary>The value of the lane whose number differs in the bits of <paramref name="mask"/>.</summary>
    [IntrinsicImplementation, Ptx("shfl.sync.bfly.b32 %0, %1, %2, 31, 0xffffffff")]
    public static float ShuffleXor(float value, int mask) => throw DeviceOnly();

    /// <summary>Orders shared-memory accesses within a warp.</summary>
    [IntrinsicImplementation, Ptx("bar.warp.sync 0xffffffff")]
    public static void WarpBarrier() => throw DeviceOnly();

    private static NotSupportedException DeviceOnly() => new("This instruction needs a device.");
}
