using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests;

/// <summary>The products again, on the paths for processors with fewer instructions.</summary>
public sealed class GemmFallbackTests
{
    [Theory]
    [InlineData("AVX512")]
    [InlineData("AVX2")]
    [InlineData("HWIntrinsic")]
    public void Products_are_right_without(string instructions) => FallbackRun.Run(instructions, typeof(GemmTests), typeof(GemmBackendTests));
}
