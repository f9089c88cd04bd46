using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Tests.Attention;

/// <summary>What the conformance suite leaves out of the general kernels: 16-bit elements, wide heads, other PTX targets.</summary>
public sealed class GeneralAttentionTests
{
    public static TheoryData<int, DataType, int> Elements =>
    [
        (70, DataType.Float16, 64), (75, DataType.Float16, 20), (75, DataType.Float16, 200), (80, DataType.BFloat16, 20), (80, DataType.BFloat16, 260),
        (80, DataType.Float32, 200),
    ];

    [Theory]
    [MemberData(nameof(Elements))]
    public void Any_size_and_type(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        Check(machine, new AttentionCase(headSize, 2, 1, 5, 0, 33));
        Check(machine, new AttentionCase(headSize, 2, 2, 70) { Window = 9 });
        machine.Forward(new AttentionCase(headSize, 3, 1, 3) { Past = 37 }, withSums: false);
        machine.Forward(new AttentionCase(headSize, 3, 1, 1) { Past = 70, Window = 40 }, withSums: false);
    }

    private static void Check(AttentionMachine machine, AttentionCase sizes)
    {
        machine.Forward(sizes);
        machine.Backward(sizes);
        Assert.All(machine.Launches, launch => Assert.StartsWith("GeneralAttention", launch.Kernel, StringComparison.Ordinal));
    }
}
