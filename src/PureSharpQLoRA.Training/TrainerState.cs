using System.Text.Json.Serialization;

namespace PureSharpQLoRA.Training;

/// <summary>All of a run's state beside weights and moments; kept in trainer_state.json. Random state needs no place in it: it follows from seed and step.</summary>
internal sealed class TrainerState
{
    [JsonPropertyName("global_step")]
    public int Step { get; set; }

    [JsonPropertyName("tokens_seen")]
    public long TokensSeen { get; set; }

    [JsonPropertyName("last_loss")]
    public double LastLoss { get; set; }

    [JsonPropertyName("window_loss")]
    public double WindowLoss { get; set; }

    [JsonPropertyName("window_steps")]
    public int WindowSteps { get; set; }

    [JsonPropertyName("best_eval_loss")]
    public double? BestEvaluationLoss { get; set; }

    [JsonPropertyName("evaluations_without_improvement")]
    public int EvaluationsWithoutImprovement { get; set; }

    [JsonPropertyName("last_eval_step")]
    public int LastEvaluationStep { get; set; }

    /// <summary>The loss scaling of a run whose activations are fp16, else null.</summary>
    [JsonPropertyName("loss_scaling")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LossScaler? LossScaler { get; set; }

    [JsonIgnore]
    public EvaluationResult? LastEvaluation { get; private set; }

    [JsonIgnore]
    public double WindowSeconds { get; private set; }

    [JsonIgnore]
    public long WindowTokens { get; private set; }

    public void Count(double loss, long tokens, double seconds)
    {
        Step++;
        LastLoss = loss;
        TokensSeen += tokens;
        WindowLoss += loss;
        WindowSteps++;
        WindowTokens += tokens;
        WindowSeconds += seconds;
    }

    /// <summary>Counts an evaluation.</summary>
    public void CountEvaluation(EvaluationResult result)
    {
        (LastEvaluation, LastEvaluationStep) = (result, Step);
        if (double.IsFinite(result.Loss) && (BestEvaluationLoss is not { } best || result.Loss < best))
        {
            BestEvaluationLoss = result.Loss;
            EvaluationsWithoutImprovement = 0;
        }
        else
        {
            EvaluationsWithoutImprovement++;
        }
    }

    /// <summary>Metrics over the window, which begins anew.</summary>
    public LoggedMetrics TakeWindow(in StepProgress last, long peakMemoryBytes)
    {
        var metrics = new LoggedMetrics(
            last.Step, last.Epoch, WindowLoss / WindowSteps, last.LearningRate, last.GradientNorm, WindowTokens / Math.Max(WindowSeconds, 1e-9),
            TokensSeen, peakMemoryBytes, LossScaler?.Scale);
        (WindowLoss, WindowSteps, WindowTokens, WindowSeconds) = (0, 0, 0, 0);
        return metrics;
    }
}
