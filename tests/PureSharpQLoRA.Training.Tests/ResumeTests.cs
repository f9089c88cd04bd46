using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>A run that is interrupted and resumed in a new process ends with the very bits of one that never stopped.</summary>
public sealed class ResumeTests
{
    private const int Steps = 20;

    [Theory]
    [InlineData("lora", 8)]
    [InlineData("lora", 1)]
    [InlineData("lora", 19)]
    [InlineData("dora", 8)]
    [InlineData("rslora", 8)]
    [InlineData("full", 8)]
    public void An_interrupted_run_ends_with_the_same_bits(string kind, int interruption)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        double[] whole;
        using (var metrics = new MetricsFile(folder.File("whole.jsonl")))
        using (var run = new TinyRun(Settings(model, folder, "whole", kind, metrics)))
        {
            Assert.Equal(TrainingEnd.Completed, run.Run().End);
            whole = run.Losses;
        }

        double[] first;
        string checkpoint;
        using (var stop = new CancellationTokenSource())
        using (var metrics = new MetricsFile(folder.File("parts.jsonl")))
        using (var run = new TinyRun(Settings(model, folder, "parts", kind, metrics, new StepRecorder
        {
            AfterStep = progress =>
            {
                if (progress.Step == interruption)
                {
                    stop.Cancel();
                }
            },
        })))
        {
            TrainingResult result = run.Run(stop.Token);
            Assert.Equal((TrainingEnd.Interrupted, interruption), (result.End, result.Steps));
            first = run.Losses;
            checkpoint = result.Folder;
        }

        double[] second;
        using (var metrics = new MetricsFile(folder.File("parts.jsonl")))
        using (var run = new TinyRun(Settings(model, folder, "parts", kind, metrics)))
        {
            run.Trainer.Resume(checkpoint);
            Assert.Equal(interruption, run.Trainer.StepsDone);
            Assert.Equal((TrainingEnd.Completed, Steps), (run.Run().End, run.Trainer.StepsDone));
            second = run.Losses;
        }

        Assert.Equal(Steps, whole.Length);
        Assert.Equal<double>(whole, first.Concat(second));
        string weights = kind == "full" ? "model.safetensors" : "adapter_model.safetensors";
        foreach (string file in (string[])[weights, "optimizer.safetensors", "trainer_state.json"])
        {
            Assert.True(
                File.ReadAllBytes(folder.File("whole", "checkpoint-20", file)).AsSpan().SequenceEqual(File.ReadAllBytes(folder.File("parts", "checkpoint-20", file))),
                $"{file} differs");
        }

        Assert.Equal(Metrics(folder.File("whole.jsonl")), Metrics(folder.File("parts.jsonl")));
    }

    [Fact]
    public void Resuming_continues_with_the_moments_and_not_with_the_weights_alone()
    {
        // The comparison above must be able to fail: without the optimizer's state the run goes another way.
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        TinySettings settings = Settings(model, folder, "whole", "full") with { HeldOut = null };
        settings = settings with { Options = settings.Options with { Scheduler = SchedulerType.Constant, Shuffle = false } };
        using var run = new TinyRun(settings);
        run.Run();
        using var forgetful = new TinyRun(settings with { ModelFolder = folder.File("whole", "checkpoint-20") });
        forgetful.Trainer.TrainStep();
        using var resumed = new TinyRun(settings);
        resumed.Trainer.Resume(folder.File("whole", "checkpoint-20"));
        resumed.Trainer.TrainStep();
        Assert.NotEqual(forgetful.Backend.ToArray(forgetful.Model.Weights[0].Value), resumed.Backend.ToArray(resumed.Model.Weights[0].Value));
    }

    [Fact]
    public void A_whole_model_saved_and_loaded_again_has_the_same_loss()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        IReadOnlyList<Text.Example> heldOut = TinyRun.Examples(9, seed: 7).Examples;
        double before, after;
        using (var run = new TinyRun(Settings(model, folder, "out", "full")))
        {
            before = run.Evaluate(heldOut);
            run.Run();
            run.Trainer.SaveResult();
            after = run.Evaluate(heldOut);
        }

        Assert.True(after < before - 0.1, $"{after} after {before}");
        using var again = new TinyRun(Settings(folder.File("out"), folder, "again", "full"));
        Assert.Equal(after, again.Evaluate(heldOut));
        Assert.True(File.Exists(folder.File("out", "config.json")));
    }

    private static TinySettings Settings(string model, TemporaryFolder folder, string name, string kind, params ITrainingObserver[] observers) => new()
    {
        ModelFolder = model,
        Data = TinyRun.Examples(31, masked: true),
        PackedLength = 24,
        HeldOut = TinyRun.Examples(7, seed: 5).Examples,
        Observers = observers,
        Load = kind == "full" ? new LoadOptions { LoadIn4Bit = false, TrainAllWeights = true } : new LoadOptions(),
        Lora = kind == "full" ? null : new LoraOptions
        {
            Rank = 4,
            Alpha = 8,
            Dropout = kind == "dora" ? 0 : 0.1f,
            UseDora = kind == "dora",
            UseRsLora = kind == "rslora",
        },
        Options = TinyRun.Options(folder, Steps, name) with
        {
            BatchSize = 2,
            GradientAccumulationSteps = 2,
            Scheduler = SchedulerType.Cosine,
            WarmupSteps = 3,
            WeightDecay = 0.01,
            NeftuneNoiseAlpha = 5,
            LoggingSteps = 3,
            EvalSteps = 4,
            SaveSteps = 20,
            EarlyStoppingPatience = 50,
        },
    };

    /// <summary>The lines without what depends on the clock and on the process.</summary>
    private static string[] Metrics(string path) =>
    [
        .. File.ReadAllLines(path).Select(line =>
        {
            Dictionary<string, JsonElement> fields = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(line)!;
            fields.Remove("tokens_per_second");
            fields.Remove("peak_memory_bytes");
            return JsonSerializer.Serialize(fields);
        }),
    ];
}
