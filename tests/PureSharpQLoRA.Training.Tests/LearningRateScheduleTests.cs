using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Values worked out by hand from transformers' get_linear_schedule_with_warmup and its siblings.</summary>
public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData(SchedulerType.Linear, 2, 10, new[] { 0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125 })]
    [InlineData(SchedulerType.Linear, 0, 4, new[] { 1, 0.75, 0.5, 0.25 })]
    [InlineData(SchedulerType.Cosine, 0, 4, new[] { 1, 0.8535533905932737, 0.5, 0.14644660940672627 })]
    [InlineData(SchedulerType.Cosine, 4, 8, new[] { 0, 0.25, 0.5, 0.75, 1, 0.8535533905932737, 0.5, 0.14644660940672627 })]
    [InlineData(SchedulerType.Constant, 3, 4, new double[] { 1, 1, 1, 1 })]
    [InlineData(SchedulerType.ConstantWithWarmup, 4, 7, new[] { 0, 0.25, 0.5, 0.75, 1, 1, 1 })]
    [InlineData(SchedulerType.Linear, 5, 3, new[] { 0, 0.2, 0.4 })]
    public void Rates_are_those_of_transformers(SchedulerType type, int warmup, int total, double[] expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        var schedule = new LearningRateSchedule(type, 2e-4, warmup, total);
        for (int step = 0; step < expected.Length; step++)
        {
            Assert.Equal(2e-4 * expected[step], schedule.Rate(step), 1e-18);
        }
    }

    [Theory]
    [InlineData(0, 0.15, new[] { 0, 0.5, 1, 0.875 })]
    [InlineData(1, 0.5, new[] { 0, 1, 8 / 9.0, 7 / 9.0 })]
    public void A_ratio_is_rounded_up_and_steps_win_over_it(int warmupSteps, double ratio, double[] expected)
    {
        // 0.15 of 10 steps are 2.
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            Options = TinyRun.Options(folder, 10) with { LearningRate = 1, WarmupSteps = warmupSteps, WarmupRatio = ratio, MaxGradientNorm = 1e-9 },
        });
        double[] rates = [.. Enumerable.Range(0, expected.Length).Select(_ => run.Trainer.TrainStep().LearningRate)];
        Assert.Equal(expected, rates, (a, b) => Math.Abs(a - b) < 1e-12);
    }

    [Theory]
    [InlineData(1, 6)]
    [InlineData(2.5, 15)]
    [InlineData(0.4, 3)]
    public void Epochs_become_steps(double epochs, int expected)
    {
        // 23 examples in batches of 4 are 6 steps.
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings { ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 0) with { Epochs = epochs } });
        Assert.Equal(expected, run.Trainer.TotalSteps);
    }
}
