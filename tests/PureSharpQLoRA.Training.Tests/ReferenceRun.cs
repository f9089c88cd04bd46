using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training.Tests.Models;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>One of the runs that PEFT, bitsandbytes and PyTorch computed: its settings, its figures, and the same run by this library.</summary>
internal sealed class ReferenceRun
{
    private readonly JsonElement _result;
    private readonly JsonElement _options;

    private ReferenceRun(string folder)
    {
        Folder = folder;
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "result.json")));
        _result = document.RootElement.Clone();
        _options = _result.GetProperty("options");
        Losses = [.. _result.GetProperty("loss").EnumerateArray().Select(value => value.GetDouble())];
        GradientNorms = [.. _result.GetProperty("grad_norm").EnumerateArray().Select(value => value.GetDouble())];
        LearningRates = [.. _result.GetProperty("lr").EnumerateArray().Select(value => value.GetDouble())];
    }

    public static string? RunsFolder => TestFiles.InReference("reference", "runs");

    public static string? ModelFolder => TestFiles.InReference("models", "stories260K");

    public string Folder { get; }

    public double[] Losses { get; }

    public double[] GradientNorms { get; }

    public double[] LearningRates { get; }

    public double HeldOutBefore => _result.GetProperty("heldout_before").GetDouble();

    public double HeldOutAfter => _result.GetProperty("heldout_after").GetDouble();

    public bool IsFull => Flag("full");

    public LoadOptions LoadOptions => new()
    {
        LoadIn4Bit = Text("q") is not null,
        DoubleQuantization = Text("q") == "nf4_dq",
        TrainAllWeights = IsFull,
    };

    public static ReferenceRun Open(string name)
    {
        if (RunsFolder is not { } runs || ModelFolder is null)
        {
            Assert.Skip("The reference runs and the stories260K model are not beside the repository.");
            throw new InvalidOperationException();
        }

        return new ReferenceRun(Path.Combine(runs, name));
    }

    /// <summary>The run's options for our trainer.</summary>
    public TrainingOptions TrainingOptions(string outputDirectory) => new()
    {
        OutputDirectory = outputDirectory,
        BatchSize = 4,
        GradientAccumulationSteps = (int)(Number("ga") ?? 1),
        MaxSteps = Losses.Length,
        LearningRate = 1e-3,
        Scheduler = Text("sched") == "cosine" ? SchedulerType.Cosine : SchedulerType.Constant,
        WarmupSteps = (int)(Number("warmup") ?? 0),
        WeightDecay = Number("wd") ?? 0,
        MaxGradientNorm = Number("clip") ?? 0,
        NeftuneNoiseAlpha = (float)(Number("neft") ?? 0),
        Shuffle = false,
        SaveSteps = 0,
        LoggingSteps = 1,
    };

    public CausalLanguageModel LoadModel(IBackend backend)
    {
        Stories260K model = ModelLoader.Load(ModelFolder!, backend, LoadOptions, scope => new Stories260K(scope));
        if (!IsFull)
        {
            model.Adapters.Load("default", Path.Combine(Folder, "peft_init"));
        }

        return model;
    }

    public Dataset TrainingData()
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(RunsFolder!, "data.safetensors"));
        int[][] ids = Rows(file, "input_ids");
        int[][] labels = Flag("masked") ? Rows(file, "masked_labels") : ids;
        Example[] examples = [.. ids.Zip(labels, (row, label) => new Example(row, label))];
        return new Dataset(examples, new DatasetStatistics(examples.Length, examples.Sum(e => e.Ids.Length), 0, 64, 0, 0, 0, 0));
    }

    public static Example[] HeldOut()
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(RunsFolder!, "data.safetensors"));
        return [.. Rows(file, "heldout_ids").Select(row => new Example(row, row))];
    }

    private static int[][] Rows(SafetensorsFile file, string name)
    {
        SafetensorsEntry entry = file.Find(name);
        var bytes = new byte[entry.Bytes];
        file.ReadBytes(entry, 0, bytes);
        int width = (int)entry.Shape[1];
        var rows = new int[entry.Shape[0]][];
        for (int row = 0; row < rows.Length; row++)
        {
            rows[row] = new int[width];
            for (int i = 0; i < width; i++)
            {
                rows[row][i] = (int)BitConverter.ToInt64(bytes, 8 * ((row * width) + i));
            }
        }

        return rows;
    }

    private bool Flag(string name) => _options.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;

    private double? Number(string name) => _options.TryGetProperty(name, out JsonElement value) ? value.GetDouble() : null;

    private string? Text(string name) => _options.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
