using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests.Attention;

/// <summary>All tests of attention once more on the paths for lesser processors.</summary>
public sealed class AttentionFallbackTests
{
    [Theory]
    [InlineData("AVX512")]
    [InlineData("AVX2")]
    public void AttentionIsRightWithout(string instructions) =>
        FallbackRun.Run(instructions, typeof(AttentionTests), typeof(AttentionGuaranteeTests));

    [Fact]
    public void AttentionIsRightWithoutAnyVectorInstructions() => FallbackRun.Run("HWIntrinsic", typeof(AttentionTests));
}
