using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// Rounding that must not be fused away.
internal static partial class Ptx
{
    /// <summary>A product that is rounded, whatever is added to it.</summary>
    [IntrinsicImplementation, Ptx("mul.rn.f32 %0, %1, %2")]
    public static float Multiply(float a, float b) => a * b;
}
