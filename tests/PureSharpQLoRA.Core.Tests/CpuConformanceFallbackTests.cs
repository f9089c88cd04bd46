using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests;

/// <summary>The conformance suite once more in processes that lack some vector instructions.</summary>
public sealed class CpuConformanceFallbackTests
{
    [Theory]
    [InlineData("AVX512")]
    [InlineData("AVX2")]
    [InlineData("HWIntrinsic")]
    public void The_backend_conforms_without(string level)
    {
        Assert.SkipWhen(FallbackRun.IsNested, "This is such a run.");
        FallbackRun.Run(level, typeof(CpuConformanceTests));
    }
}
