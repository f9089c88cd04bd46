using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training.Tests.Models;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Tests;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>What a run of the tiny model is made of; every field has a value that most tests want.</summary>
internal sealed record TinySettings
{
    public required string ModelFolder { get; init; }

    public required TrainingOptions Options { get; init; }

    public LoadOptions Load { get; init; } = new();

    /// <summary>Null trains all weights, or uses what the test loads itself.</summary>
    public LoraOptions? Lora { get; init; } = new() { Rank = 4, Alpha = 8 };

    public Dataset Data { get; init; } = TinyRun.Examples(23);

    public int? PackedLength { get; init; }

    public IReadOnlyList<Example>? HeldOut { get; init; }

    public int Threads { get; init; } = 2;

    public ITrainingObserver[] Observers { get; init; } = [];

    public Func<IBackend, IBackend>? Wrap { get; init; }
}

/// <summary>A run of the tiny model from nothing, as a new process would make it: backend, model, adapter and trainer of its own.</summary>
internal sealed class TinyRun : IDisposable
{
    private readonly CpuBackend _cpu;

    public TinyRun(TinySettings settings)
    {
        _cpu = new CpuBackend(new CpuOptions { Threads = settings.Threads });
        Backend = settings.Wrap?.Invoke(_cpu) ?? _cpu;
        Model = ModelLoader.Load(settings.ModelFolder, Backend, settings.Load, scope => new Tiny(scope));
        if (settings.Lora is { } lora)
        {
            Model.Adapters.Add("default", lora, settings.Options.Seed);
        }

        Trainer = new Trainer(Model, settings.Data, settings.Options, settings.PackedLength, settings.HeldOut, [Recorder, .. settings.Observers]);
    }

    public static string ConfigPath => TestFiles.InRepository("tests", "PureSharpQLoRA.Training.Tests", "Models", "tiny.config.json");

    public IBackend Backend { get; }

    public Tiny Model { get; }

    public Trainer Trainer { get; }

    public StepRecorder Recorder { get; } = new();

    public double[] Losses => [.. Recorder.Steps.Select(step => step.Loss)];

    /// <summary>A folder with random weights for the tiny model.</summary>
    public static string NewModel(TemporaryFolder folder) => RandomModel.Write(folder, ConfigPath);

    /// <summary>Options of a short run that writes nothing but what is asked for.</summary>
    public static TrainingOptions Options(TemporaryFolder folder, int steps, string name = "out") => new()
    {
        OutputDirectory = folder.File(name),
        BatchSize = 4,
        MaxSteps = steps,
        LearningRate = 1e-2,
        SaveSteps = 0,
        LoggingSteps = 1,
    };

    /// <summary>Sequences of 4 to 20 tokens with a rule that can be learnt; with masks, every other one leaves its first half unlearnt.</summary>
    public static Dataset Examples(int count, bool masked = false, int seed = 1)
    {
        var examples = new Example[count];
        var random = new Random(seed);
        for (int i = 0; i < count; i++)
        {
            int start = random.Next(48), stride = 1 + random.Next(3);
            int[] ids = [.. Enumerable.Range(0, random.Next(4, 21)).Select(position => (start + (stride * position)) % 48)];
            int[] labels = masked && i % 2 == 0 ? [.. ids.Select((id, position) => position < ids.Length / 2 ? Example.Ignored : id)] : ids;
            examples[i] = new Example(ids, labels);
        }

        return Of(examples);
    }

    public static Dataset Of(params Example[] examples) => new(
        examples,
        new DatasetStatistics(examples.Length, examples.Sum(e => e.Ids.Length), examples.Sum(e => e.CountTargets()), examples.Max(e => e.Ids.Length), 0, 0, 0, 0));

    public TrainingResult Run(CancellationToken? cancellation = null) => Trainer.Run(cancellation ?? TestContext.Current.CancellationToken);

    public double Evaluate(IReadOnlyList<Example> examples) =>
        Evaluator.Evaluate(Model, Trainer.Tape, examples, 4, TestContext.Current.CancellationToken).Loss;

    public void Dispose()
    {
        Trainer.Dispose();
        Model.Dispose();
        Backend.Dispose();
        _cpu.Dispose();
    }
}
