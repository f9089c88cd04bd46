using System.Globalization;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.DemoModel.Models;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.DemoModel;

/// <summary>Trains the demo's model from random weights on the plain stories, with nothing but this project's full training.</summary>
internal sealed class BaseModel(TextWriter log) : ITrainingObserver
{
    private const int RowLength = 256;
    private const int BatchSize = 16;
    private const ulong Seed = 2024;

    /// <summary>Reads base.jsonl and base-heldout.jsonl in <paramref name="data"/> and the tokenizer in <paramref name="folder"/>, and writes model.safetensors and config.json there.</summary>
    public void Train(string data, string folder, double epochs)
    {
        string start = Path.Combine(folder, "start");
        WriteStart(folder, start);
        using var backend = new CpuBackend();
        using LlamaStories model = ModelLoader.Load(
            start, backend, new LoadOptions { LoadIn4Bit = false, TrainAllWeights = true }, scope => new LlamaStories(scope));
        Tokenizer tokenizer = Tokenizer.Load(start);
        var options = new DatasetOptions { MaxLength = RowLength };
        Dataset stories = DatasetReader.Read([Path.Combine(data, "base.jsonl")], tokenizer, options);
        Dataset heldOut = DatasetReader.Read([Path.Combine(data, "base-heldout.jsonl")], tokenizer, options);
        var settings = new TrainingOptions
        {
            OutputDirectory = folder,
            BatchSize = BatchSize,
            Epochs = epochs,
            LearningRate = 4e-3,
            Scheduler = SchedulerType.Cosine,
            WarmupRatio = 0.05,
            WeightDecay = 0.1,
            AdamBeta2 = 0.99,
            MaxGradientNorm = 1,
            LoggingSteps = 20,
            EvalSteps = 250,
            SaveSteps = 0,
            Seed = Seed,
        };
        using (var trainer = new Trainer(model, stories, settings, RowLength, heldOut.Examples, this))
        {
            trainer.Run();
        }

        File.Delete(Path.Combine(folder, ModelFiles.WeightsFile));
        ModelFiles.Save(model, folder, SafetensorsType.BFloat16);
        Directory.Delete(start, recursive: true);
    }

    public void OnLogged(in LoggedMetrics metrics) => log.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"step {metrics.Step}: loss {metrics.Loss:F4}, {metrics.TokensPerSecond:F0} tokens/s"));

    public void OnEvaluated(int step, double epoch, EvaluationResult result) => log.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"step {step}, epoch {epoch:F2}: held-out loss {result.Loss:F4}, perplexity {result.Perplexity:F3}"));

    private static void WriteStart(string folder, string start)
    {
        Directory.CreateDirectory(start);
        CompanionFiles.Copy(folder, start);
        File.Copy(Path.Combine(AppContext.BaseDirectory, "config.json"), Path.Combine(start, "config.json"), overwrite: true);
        var options = new RandomModelOptions { Seed = Seed, StandardDeviation = 0.05f, Type = SafetensorsType.Float32 };
        RandomModelWriter.Write(start, [.. LlamaWeights.Of(LlamaStories.Description)], options);
    }
}
