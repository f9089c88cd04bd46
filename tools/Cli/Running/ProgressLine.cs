using System.Diagnostics;
using System.Globalization;
using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Training;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>Shows how a run goes: on a terminal one line drawn over again, elsewhere a line per logged step.</summary>
internal sealed class ProgressLine(CommandContext context) : ITrainingObserver, IDisposable
{
    private readonly LiveLine _line = new(context);
    private TrainingPlan? _plan;
    private long _start;
    private double _tokensPerSecond;

    public void OnStarted(TrainingPlan plan)
    {
        _plan = plan;
        _start = Stopwatch.GetTimestamp();
    }

    public void OnStep(in StepProgress progress)
    {
        double rate = progress.Tokens / Math.Max(progress.Seconds, 1e-9);
        _tokensPerSecond = _tokensPerSecond == 0 ? rate : (0.9 * _tokensPerSecond) + (0.1 * rate);
        if (context.Host.IsTerminal)
        {
            _line.Show(Describe(progress.Step, progress.TotalSteps, progress.Loss, _tokensPerSecond));
        }
    }

    public void OnSkipped(in SkippedStep skipped)
    {
        _line.Clear();
        context.Output.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"step {skipped.Step}: the gradient of {skipped.Parameter} overflowed in fp16; repeated with loss scale {skipped.NextLossScale:0}"));
    }

    public void OnLogged(in LoggedMetrics metrics)
    {
        if (!context.Host.IsTerminal && _plan is { } plan)
        {
            context.Output.WriteLine(Describe(metrics.Step, plan.TotalSteps, metrics.Loss, metrics.TokensPerSecond));
        }
    }

    public void OnEvaluated(int step, double epoch, EvaluationResult result)
    {
        _line.Clear();
        context.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {step}: held-out loss {result.Loss:0.0000}, perplexity {result.Perplexity:0.00}"));
    }

    public void OnCheckpoint(int step, string folder)
    {
        _line.Clear();
        context.Output.WriteLine($"step {step}: saved {folder}");
    }

    /// <summary>Removes the line.</summary>
    public void Dispose() => _line.Dispose();

    private string Describe(int step, int total, double loss, double tokensPerSecond)
    {
        int done = step - (_plan?.FirstStep ?? 0);
        TimeSpan left = Stopwatch.GetElapsedTime(_start) / Math.Max(1, done) * (total - step);
        string time = left.ToString(left.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);
        return string.Create(CultureInfo.InvariantCulture, $"step {step,5}/{total}  loss {loss:0.0000}  {tokensPerSecond,8:#,##0} tokens/s  {time} left");
    }
}
