using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Tests.Attention;

/// <summary>The tensor-core kernels of attention, for each head size, element type and PTX target that have one.</summary>
public sealed class TensorCoreAttentionTests(ITestOutputHelper output)
{
    public static TheoryData<int, DataType, int> Kernels
    {
        get
        {
            var data = new TheoryData<int, DataType, int>();
            foreach (int headSize in new[] { 64, 80, 96, 128, 256 })
            {
                data.Add(75, DataType.Float16, headSize);
                data.Add(80, DataType.Float16, headSize);
                data.Add(80, DataType.BFloat16, headSize);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Forward(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        foreach (AttentionCase sizes in Cases(headSize))
        {
            machine.Forward(sizes);
            AssertTensorCores(machine, sizes);
        }
    }

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Backward(int architecture, DataType type, int headSize)
    {
        using var machine = new AttentionMachine(architecture, type);
        foreach (AttentionCase sizes in Cases(headSize))
        {
            machine.Backward(sizes);
            AssertTensorCores(machine, sizes);
        }
    }

    private static AttentionCase[] Cases(int headSize) =>
    [
        new(headSize, 1, 1, 1), new(headSize, 1, 1, 31), new(headSize, 1, 1, 33), new(headSize, 2, 1, 129),
        new(headSize, 4, 1, 1, 31, 33, 0, 20),
        new(headSize, 2, 2, 90, 33) { Window = 40 },
        new(headSize, 1, 1, 70) { Amplitude = 10 },
    ];

    private void AssertTensorCores(AttentionMachine machine, AttentionCase sizes)
    {
        foreach ((string kernel, PtxMachine.LaunchReport report) in machine.Launches)
        {
            output.WriteLine($"{sizes}: {kernel}: {report}");
            if (!kernel.StartsWith("AttentionDelta", StringComparison.Ordinal))
            {
                Assert.True(report.MmaInstructions > 0, $"{kernel} uses no tensor cores.");
            }
        }
    }
}
