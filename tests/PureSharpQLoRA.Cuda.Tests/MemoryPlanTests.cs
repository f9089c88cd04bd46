using PureSharpQLoRA.Generators;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Planning;
using PureSharpQLoRA.Kernels.Dry;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>The memory plan against what a training step of Llama-3.1-8B asks of a device: the real loader, layers, trainer and backend on a device that computes nothing.</summary>
public sealed class MemoryPlanTests
{
    /// <summary>The plan's room for what depends on no size of the model.</summary>
    private const long Scratch = 64L << 20;

    [Theory]
    [InlineData(2, 1024, 16, false)]
    [InlineData(1, 16384, 32, true)]
    public void A_step_takes_what_the_plan_says_within_two_percent(int batch, int length, int rank, bool offloading)
    {
        DryStep step = DryStep.Run(new StepSettings(75, batch, length, rank, Offloading: offloading));
        var options = new PlanOptions { Batch = batch, Length = length, Rank = rank, OffloadsActivations = offloading };
        MemoryPlan plan = MemoryPlanner.Plan(Spec(), options);
        long planned = plan.TotalBytes - Scratch, counted = step.PeakBytes;
        Assert.True(
            Math.Abs(counted - planned) <= 0.02 * planned,
            $"planned {planned:N0}, counted {counted:N0}\n{string.Join('\n', plan.Rows.Select(row => $"{row.Name} {row.Bytes:N0}"))}\n"
            + string.Join('\n', step.PurposePeaks.Select(peak => $"{peak.Key} {peak.Value:N0}")));
        if (batch == 2)
        {
            // What bitsandbytes and PEFT in Unsloth's hands need for it: 7.92 GB.
            Assert.InRange(counted, 7_000_000_000, 7_500_000_000);
        }
    }

    [Fact]
    public void Forty_one_thousand_tokens_get_through_a_step_in_15_GB()
    {
        using var model = new DryModel(75);
        Assert.True(model.Fits(41_000, rank: 32, bytes: 15_000_000_000, offloading: true));
    }

    private static ModelSpec Spec()
    {
        string config = TestFiles.InRepository("perf", "StepProfiler", "Shapes", "8b", "config.json");
        return ModelSourceEmitter.Emit(File.ReadAllText(config), config, new ModelOptions()).Spec!;
    }
}
