using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// What products need of shared memory: constant offsets folded into the instruction.
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
}
