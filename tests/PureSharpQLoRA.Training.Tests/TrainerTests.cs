using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training.Tests.Models;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training.Tests;

public sealed class TrainerTests
{
    [Fact]
    public void Training_stops_early_when_evaluations_do_not_improve()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            HeldOut = TinyRun.Examples(5, seed: 3).Examples,
            Options = TinyRun.Options(folder, 40) with { LearningRate = 0, EvalSteps = 2, EarlyStoppingPatience = 3 },
        });
        TrainingResult result = run.Run();

        // The evaluation after 2 steps is the best; those after 4, 6 and 8 are no better.
        Assert.Equal((TrainingEnd.StoppedEarly, 8), (result.End, result.Steps));
        Assert.Equal(4, run.Recorder.Evaluations.Count);
        Assert.Equal(run.Recorder.Evaluations[^1], result.Evaluation);
        Assert.Equal(folder.File("out"), result.Folder);
    }

    [Theory]
    [InlineData(3, 10, new[] { 3, 6, 9, 10 })]
    [InlineData(5, 10, new[] { 5, 10 })]
    [InlineData(0, 4, new int[0])]
    public void The_model_is_evaluated_every_so_many_steps_and_at_the_end(int every, int steps, int[] expected)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Example[] heldOut = [.. TinyRun.Examples(5, seed: 3).Examples];
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            HeldOut = heldOut,
            Options = TinyRun.Options(folder, steps) with { EvalSteps = every, LoggingSteps = 4 },
        });
        run.Run();
        Assert.Equal(expected, run.Recorder.EvaluationSteps);
        Assert.All(run.Recorder.Evaluations, result => Assert.Equal(heldOut.Sum(example => example.CountTargets()), result.Targets));
        Assert.Equal(Enumerable.Range(1, steps).Where(step => step % 4 == 0 || step == steps), run.Recorder.Logged.Select(line => line.Step));
    }

    [Fact]
    public void A_logged_loss_is_the_mean_since_the_last_one()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings { ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 7) with { LoggingSteps = 3 } });
        run.Run();
        double[] expected = [.. run.Losses.Chunk(3).Select(window => window.Average())];
        Assert.Equal(expected, run.Recorder.Logged.Select(line => line.Loss), (a, b) => Math.Abs(a - b) < 1e-12);
        Assert.Equal(run.Recorder.Steps[^1].TokensSeen, run.Recorder.Logged[^1].TokensSeen);
        Assert.Equal(run.Recorder.Steps.Sum(step => step.Tokens), run.Recorder.Steps[^1].TokensSeen);
    }

    [Fact]
    public void A_rate_far_too_high_ends_with_the_step_and_what_to_do()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            Load = new LoadOptions { LoadIn4Bit = false, TrainAllWeights = true },
            Lora = null,
            Options = TinyRun.Options(folder, 200) with { LearningRate = 1e6, Scheduler = SchedulerType.Constant, SaveSteps = 1, SaveTotalLimit = 1 },
        });
        TrainingException error = Assert.Throws<TrainingException>(() => run.Run());
        int done = run.Recorder.Steps.Count;
        Assert.StartsWith($"Step {done + 1}: ", error.Message, StringComparison.Ordinal);
        Assert.Matches(@"the gradient of (model\.|lm_head)\S+ is not finite|the loss is (NaN|Infinity)", error.Message);
        Assert.Contains("learning_rate", error.Message, StringComparison.Ordinal);
        Assert.Contains(folder.File("out", $"checkpoint-{done}"), error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Data_without_targets_is_refused()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = TinyRun.NewModel(folder);
        int[] ids = [1, 2, 3];
        Dataset ignored = TinyRun.Of(new Example(ids, [1, Example.Ignored, Example.Ignored]));
        TrainingException error = Assert.Throws<TrainingException>(() => new TinyRun(new TinySettings { ModelFolder = path, Data = ignored, Options = TinyRun.Options(folder, 1) }));
        Assert.Contains("nothing to learn", error.Message, StringComparison.Ordinal);
        using var run = new TinyRun(new TinySettings { ModelFolder = path, Options = TinyRun.Options(folder, 1) });
        Assert.Contains("nothing to evaluate", Assert.Throws<TrainingException>(() => run.Evaluate(ignored.Examples)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_without_anything_to_train_is_refused()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TrainingException error = Assert.Throws<TrainingException>(
            () => new TinyRun(new TinySettings { ModelFolder = TinyRun.NewModel(folder), Lora = null, Options = TinyRun.Options(folder, 1) }));
        Assert.Contains("Adapters.Add", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_in_4_bits_cannot_be_trained()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new Core.Cpu.CpuBackend();
        string path = TinyRun.NewModel(folder);
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => ModelLoader.Load(path, backend, new LoadOptions { TrainAllWeights = true }, scope => new Tiny(scope)));
        Assert.Contains("LoadIn4Bit", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, backend.Memory.BytesFor(Core.MemoryPurpose.Weights));
    }

    /// <summary>AdamW's first step moves every weight by its rate, whatever the gradient.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    public void Lora_plus_gives_B_a_rate_of_its_own(double ratio)
    {
        const double Rate = 1e-3;
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            Options = TinyRun.Options(folder, 2) with { LearningRate = Rate, Scheduler = SchedulerType.Constant, LoraPlusRatio = ratio },
        });
        float[][] Values() => [.. run.Model.TrainableParameters.Select(parameter => run.Backend.ToArray(parameter.Value))];
        float[][] before = Values();
        run.Trainer.TrainStep();
        float[][] after = Values();

        // In the first step only B has a gradient, as it is 0 itself.
        foreach ((Parameter parameter, int index) in run.Model.TrainableParameters.Select((parameter, index) => (parameter, index)))
        {
            double moved = before[index].Zip(after[index], (b, a) => Math.Abs((double)a - b)).Max();
            Assert.Equal(parameter.IsLoraB ? ratio * Rate : 0, moved, 1e-5 * ratio);
        }
    }

    [Fact]
    public void Noise_ends_with_the_trainer()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings { ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 1) with { NeftuneNoiseAlpha = 5 } });
        Assert.Equal(5, run.Model.Embedding.NoiseAlpha);
        run.Trainer.Dispose();
        Assert.Equal(0, run.Model.Embedding.NoiseAlpha);
    }
}
