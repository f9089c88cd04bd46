using System.Globalization;
using System.Text;
using System.Text.Json;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training;

/// <summary>Writes metrics.jsonl: one JSON object per logged step, and one per evaluation.</summary>
public sealed class MetricsFile : ITrainingObserver, IDisposable
{
    private readonly string _path;
    private StreamWriter? _writer;

    /// <summary>Prepares to write <paramref name="path"/>; the file is opened when the run begins.</summary>
    public MetricsFile(string path) => _path = path;

    /// <inheritdoc/>
    public void OnStarted(TrainingPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        KeepUpTo(plan.FirstStep);
        _writer = new StreamWriter(_path, append: true, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true };
    }

    /// <inheritdoc/>
    public void OnLogged(in LoggedMetrics metrics) => _writer?.WriteLine(Line(metrics));

    /// <inheritdoc/>
    public void OnEvaluated(int step, double epoch, EvaluationResult result) => _writer?.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"step":{{step}},"epoch":{{Number(epoch)}},"eval_loss":{{Number(result.Loss)}},"eval_perplexity":{{Number(result.Perplexity)}}}"""));

    /// <summary>The line of a logged step.</summary>
    public static string Line(in LoggedMetrics metrics) => string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"step":{{metrics.Step}},"epoch":{{Number(metrics.Epoch)}},"loss":{{Number(metrics.Loss)}},"learning_rate":{{Number(metrics.LearningRate)}},"grad_norm":{{Number(metrics.GradientNorm)}},"tokens_per_second":{{Number(Math.Round(metrics.TokensPerSecond, 1))}},"tokens_seen":{{metrics.TokensSeen}},"peak_memory_bytes":{{metrics.PeakMemoryBytes}}{{(metrics.LossScale is { } scale ? ",\"loss_scale\":" + Number(scale) : "")}}}""");

    /// <inheritdoc/>
    public void Dispose() => _writer?.Dispose();

    /// <summary>JSON has no infinity and no NaN: such a figure is null.</summary>
    private static string Number(double value) => double.IsFinite(value) ? JsonSerializer.Serialize(value) : "null";

    /// <summary>Drops the lines after the step a run resumes from: they will be written again.</summary>
    private void KeepUpTo(int step)
    {
        if (!File.Exists(_path))
        {
            return;
        }

        var kept = new StringBuilder();
        foreach (string line in File.ReadLines(_path))
        {
            if (step > 0 && StepOf(line) is { } lineStep && lineStep <= step)
            {
                kept.Append(line).Append('\n');
            }
        }

        AtomicFile.WriteText(_path, kept.ToString());
    }

    /// <summary>The step of a line; null for one that an abrupt end left incomplete.</summary>
    private static int? StepOf(string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("step", out JsonElement step)
                && step.ValueKind == JsonValueKind.Number && step.TryGetInt32(out int number) ? number : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
