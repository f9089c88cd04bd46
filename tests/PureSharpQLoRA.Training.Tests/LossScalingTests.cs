using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Training with activations in fp16: steps that overflow are repeated with half the loss scale.</summary>
public sealed class LossScalingTests
{
    [Fact]
    public void A_step_that_overflows_is_repeated_with_half_the_scale()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        Overflowing? backend = null;
        TrainingOptions options = TinyRun.Options(folder, 6) with { Scheduler = SchedulerType.Linear };
        using var run = new TinyRun(new TinySettings { ModelFolder = model, Options = options, Wrap = _ => backend = new Overflowing(attempt => attempt is 3 or 4) });
        run.Run();

        string parameter = run.Model.TrainableParameters[Overflowing.Victim].Name;
        Assert.Contains("layers.0.", parameter, StringComparison.Ordinal);
        Assert.Equal([new SkippedStep(3, parameter, 65536, 32768), new SkippedStep(3, parameter, 32768, 16384)], run.Recorder.Skipped);
        Assert.Equal([1, 2, 3, 4, 5, 6], run.Recorder.Steps.Select(step => step.Step));
        Assert.Equal([65536, 65536, 65536, 32768, 16384, 16384, 16384, 16384], backend!.Scales);
        Assert.Equal([1, 2, 3, 3, 3, 4, 5, 6], backend.StepNumbers);
        Assert.Equal([65536.0, 65536, 16384, 16384, 16384, 16384], run.Recorder.Logged.Select(line => line.LossScale));
        Assert.Equal(run.Recorder.Steps.Sum(step => step.Tokens), run.Recorder.Steps[^1].TokensSeen);

        // Skipped attempts leave no trace: the schedule goes on where it was, and the same steps without them end with nearly the same weights.
        using var calm = new TinyRun(new TinySettings { ModelFolder = model, Options = options, Wrap = _ => new Overflowing(_ => false) });
        calm.Run();
        Assert.Empty(calm.Recorder.Skipped);
        Assert.Equal(calm.Recorder.Steps.Select(step => step.LearningRate), run.Recorder.Steps.Select(step => step.LearningRate));
        for (int step = 0; step < 6; step++)
        {
            Assert.Equal(calm.Losses[step], run.Losses[step], 2e-3);
            Assert.Equal(calm.Recorder.Steps[step].GradientNorm, run.Recorder.Steps[step].GradientNorm, 0.02 * calm.Recorder.Steps[step].GradientNorm);
        }
    }

    [Fact]
    public void A_run_whose_gradients_always_overflow_fails_with_the_name_of_the_first()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 6), Wrap = _ => new Overflowing(attempt => attempt >= 2),
        });
        TrainingException error = Assert.Throws<TrainingException>(() => run.Run());
        string parameter = run.Model.TrainableParameters[Overflowing.Victim].Name;
        Assert.Contains($"Step 2: the gradient of {parameter} is not finite, even without loss scaling", error.Message, StringComparison.Ordinal);
        Assert.Equal(16, run.Recorder.Skipped.Count);
        Assert.Equal(1, run.Recorder.Skipped[^1].NextLossScale);
        Assert.Single(run.Recorder.Steps);
    }

    [Fact]
    public void The_scale_doubles_after_two_thousand_good_steps_and_halves_at_once()
    {
        var scaler = new LossScaler();
        for (int step = 0; step < 1999; step++)
        {
            scaler.CountGood();
        }

        Assert.Equal((65536, 1999), (scaler.Scale, scaler.GoodSteps));
        scaler.CountOverflow();
        Assert.Equal((32768, 0), (scaler.Scale, scaler.GoodSteps));
        for (int step = 0; step < 2000; step++)
        {
            scaler.CountGood();
        }

        Assert.Equal((65536, 0), (scaler.Scale, scaler.GoodSteps));
    }

    [Fact]
    public void A_resumed_run_has_the_same_bits_and_the_same_scale()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TinySettings settings = new()
        {
            ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 8, "whole") with { SaveSteps = 4 }, Wrap = _ => new Overflowing(attempt => attempt == 2),
        };
        double[] whole;
        using (var run = new TinyRun(settings))
        {
            run.Run();
            Assert.Single(run.Recorder.Skipped);
            whole = run.Losses;
        }

        using var resumed = new TinyRun(settings with { Options = settings.Options with { OutputDirectory = folder.File("second") }, Wrap = _ => new Overflowing(_ => false) });
        resumed.Trainer.Resume(folder.File("whole", "checkpoint-4"));
        resumed.Run();
        Assert.Equal(whole[4..], resumed.Losses);
        Assert.All(resumed.Recorder.Logged, line => Assert.Equal(32768, line.LossScale));
        Assert.Equal(
            File.ReadAllBytes(folder.File("whole", "checkpoint-8", "trainer_state.json")), File.ReadAllBytes(folder.File("second", "checkpoint-8", "trainer_state.json")));
        Assert.Contains("\"loss_scale\": 32768", File.ReadAllText(folder.File("whole", "checkpoint-8", "trainer_state.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Activations_in_bf16_have_no_scale_and_an_overflow_ends_the_run()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Overflowing? backend = null;
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            Options = TinyRun.Options(folder, 6),
            Wrap = _ => backend = new Overflowing(attempt => attempt == 2, DataType.BFloat16),
        });
        TrainingException error = Assert.Throws<TrainingException>(() => run.Run());
        Assert.Contains("Step 2: the gradient of", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("scaling", error.Message, StringComparison.Ordinal);
        Assert.Equal([1, 1], backend!.Scales);
        Assert.Null(run.Recorder.Logged[0].LossScale);
    }

    [Fact]
    public void Metrics_have_a_loss_scale_where_there_is_one()
    {
        var metrics = new LoggedMetrics(4, 0.8, 2.5, 1e-4, 0.75, 1234.56, 2048, 1L << 33);
        Assert.DoesNotContain("loss_scale", MetricsFile.Line(metrics), StringComparison.Ordinal);
        using JsonDocument line = JsonDocument.Parse(MetricsFile.Line(metrics with { LossScale = 65536 }));
        Assert.Equal(65536, line.RootElement.GetProperty("loss_scale").GetDouble());
    }

    /// <summary>The whole engine with 16-bit activations, against the figures of fp32.</summary>
    [Theory]
    [InlineData("qlora", DataType.Float16, 2e-3)]
    [InlineData("dora", DataType.Float16, 2e-3)]
    [InlineData("full_ft", DataType.Float16, 2e-3)]
    [InlineData("qlora", DataType.BFloat16, 2e-2)]
    public void Reference_runs_with_16_bit_activations_stay_close(string name, DataType type, double tolerance)
    {
        ReferenceRun reference = ReferenceRun.Open(name);
        using TemporaryFolder folder = TestFiles.NewFolder();
        using IBackend backend = new HalfStorageBackend(type);
        using CausalLanguageModel model = reference.LoadModel(backend);
        var recorder = new StepRecorder();
        using var trainer = new Trainer(model, reference.TrainingData(), reference.TrainingOptions(folder.Path), observers: recorder);
        trainer.Run(TestContext.Current.CancellationToken);
        double worst = reference.Losses.Zip(recorder.Steps, (expected, step) => Math.Abs(step.Loss - expected)).Max();
        Assert.True(worst <= tolerance, $"{worst:E2}, skipped {string.Join(", ", recorder.Skipped)}");
        double heldOut = Evaluator.Evaluate(model, trainer.Tape, ReferenceRun.HeldOut(), 4, TestContext.Current.CancellationToken).Loss;
        Assert.Equal(reference.HeldOutAfter, heldOut, tolerance);
    }

    /// <summary>Lets a gradient overflow in chosen attempts, counting from 1, and keeps what it is asked to do.</summary>
    private sealed class Overflowing(Func<int, bool> overflows, DataType type = DataType.Float16) : HalfStorageBackend(type)
    {
        /// <summary>The gradient that overflows.</summary>
        public const int Victim = 3;

        private int _attempts;
        private bool _first;

        public List<float> Scales { get; } = [];

        public List<int> StepNumbers { get; } = [];

        public override void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control)
        {
            Scales.Add(lossScale);
            _first = true;
            if (overflows(++_attempts))
            {
                Fill(gradients[Victim], float.PositiveInfinity);
            }

            base.GradientNorm(gradients, lossScale, maxNorm, control);
        }

        public override void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control)
        {
            if (_first)
            {
                StepNumbers.Add(step.Step);
                _first = false;
            }

            base.AdamW(parameter, gradient, firstMoment, secondMoment, step, control);
        }
    }
}
