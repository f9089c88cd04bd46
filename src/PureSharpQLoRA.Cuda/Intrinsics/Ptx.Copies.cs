using ILGPU.IR.Intrinsics;

namespace PureSharpQLoRA.Cuda.Intrinsics;

// Copies in the background by shared addresses.
internal static partial class Ptx
{
    /// <summary>Copies in the background, from sm_80 on: <paramref name="bytes"/> (0 or 16) are read and the rest of 16 becomes zero.</summary>
    [IntrinsicImplementation, Ptx("cp.async.cg.shared.global [%0], [%1], 16, %2")]
    public static void CopyAsync(uint sharedAddress, ref U4 source, int bytes) => throw DeviceOnly();
}
