namespace PureSharpQLoRA.Training.Tests;

/// <summary>Keeps what a run reports.</summary>
internal sealed class StepRecorder : ITrainingObserver
{
    public List<StepProgress> Steps { get; } = [];

    public List<LoggedMetrics> Logged { get; } = [];

    public List<EvaluationResult> Evaluations { get; } = [];

    public List<int> EvaluationSteps { get; } = [];

    public List<string> Checkpoints { get; } = [];

    public List<SkippedStep> Skipped { get; } = [];

    public Action<StepProgress>? AfterStep { get; init; }

    public void OnStep(in StepProgress progress)
    {
        Steps.Add(progress);
        AfterStep?.Invoke(progress);
    }

    public void OnSkipped(in SkippedStep skipped) => Skipped.Add(skipped);

    public void OnLogged(in LoggedMetrics metrics) => Logged.Add(metrics);

    public void OnEvaluated(int step, double epoch, EvaluationResult result)
    {
        EvaluationSteps.Add(step);
        Evaluations.Add(result);
    }

    public void OnCheckpoint(int step, string folder) => Checkpoints.Add(folder);
}
