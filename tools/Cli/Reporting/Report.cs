using PureSharpQLoRA.Training;

namespace PureSharpQLoRA.Cli.Reporting;

/// <summary>A prompt and how the model continued it.</summary>
/// <param name="Prompt">The text.</param>
/// <param name="Before">Its continuation before training, where there is one.</param>
/// <param name="After">Its continuation after training, where there is one.</param>
internal sealed record Sample(string Prompt, string? Before, string? After);

/// <summary>What a run's page shows.</summary>
internal sealed record Report(
    string Model,
    MetricsLog Metrics,
    IReadOnlyList<(string Name, string Value)> Settings,
    IReadOnlyList<Sample> Samples,
    EvaluationResult? Before,
    TrainingResult Result);
