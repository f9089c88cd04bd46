namespace PureSharpQLoRA.Training;

/// <summary>What a run is going to do.</summary>
/// <param name="FirstStep">The step it begins with: above 0 when resumed.</param>
/// <param name="TotalSteps">All optimizer steps.</param>
/// <param name="StepsPerEpoch">Optimizer steps of a pass over the data.</param>
/// <param name="Examples">Training examples.</param>
/// <param name="TrainableWeights">Weights that change.</param>
public sealed record TrainingPlan(int FirstStep, int TotalSteps, int StepsPerEpoch, int Examples, long TrainableWeights);

/// <summary>One optimizer step.</summary>
/// <param name="Step">Steps done, counting from 1.</param>
/// <param name="TotalSteps">All steps of the run.</param>
/// <param name="Epoch">Passes over the data so far.</param>
/// <param name="Loss">Mean loss over the targets of the step.</param>
/// <param name="LearningRate">The rate used.</param>
/// <param name="GradientNorm">The global norm before clipping.</param>
/// <param name="Tokens">Tokens computed in the step.</param>
/// <param name="TokensSeen">Tokens computed in the run so far.</param>
/// <param name="Seconds">Wall time of the step.</param>
public readonly record struct StepProgress(
    int Step, int TotalSteps, double Epoch, double Loss, double LearningRate, double GradientNorm, long Tokens, long TokensSeen, double Seconds);

/// <summary>A step whose gradients were not finite: nothing was updated, and it is repeated with half the loss scale.</summary>
/// <param name="Step">The step, counting from 1.</param>
/// <param name="Parameter">The first parameter whose gradient was not finite, by its full path.</param>
/// <param name="LossScale">What the loss was multiplied by.</param>
/// <param name="NextLossScale">What it is multiplied by when the step is repeated.</param>
public readonly record struct SkippedStep(int Step, string Parameter, double LossScale, double NextLossScale);

/// <summary>Metrics over the steps since the last ones; the fields are those of metrics.jsonl.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Epoch">Passes over the data so far.</param>
/// <param name="Loss">Mean of the steps' losses since the last line.</param>
/// <param name="LearningRate">The rate of the last step.</param>
/// <param name="GradientNorm">The norm of the last step, before clipping.</param>
/// <param name="TokensPerSecond">Tokens computed per second since the last line.</param>
/// <param name="TokensSeen">Tokens computed in the run so far.</param>
/// <param name="PeakMemoryBytes">The most memory used: of the process on the CPU, of the pool on a device.</param>
/// <param name="LossScale">What the loss is multiplied by where activations are fp16, else null.</param>
public readonly record struct LoggedMetrics(
    int Step, double Epoch, double Loss, double LearningRate, double GradientNorm, double TokensPerSecond, long TokensSeen, long PeakMemoryBytes,
    double? LossScale = null);

/// <summary>Is told how a run goes. Calls come from the thread that trains, between steps.</summary>
public interface ITrainingObserver
{
    /// <summary>The run begins.</summary>
    void OnStarted(TrainingPlan plan)
    {
    }

    /// <summary>A step is done.</summary>
    void OnStep(in StepProgress progress)
    {
    }

    /// <summary>A step overflowed in fp16 and is repeated.</summary>
    void OnSkipped(in SkippedStep skipped)
    {
    }

    /// <summary>It is time to log.</summary>
    void OnLogged(in LoggedMetrics metrics)
    {
    }

    /// <summary>The model was evaluated after so many steps.</summary>
    void OnEvaluated(int step, double epoch, EvaluationResult result)
    {
    }

    /// <summary>A checkpoint was written.</summary>
    void OnCheckpoint(int step, string folder)
    {
    }
}

/// <summary>How a run ended.</summary>
public enum TrainingEnd
{
    /// <summary>All steps are done.</summary>
    Completed,

    /// <summary>The evaluation loss stopped improving.</summary>
    StoppedEarly,

    /// <summary>It was asked to stop; a checkpoint was written.</summary>
    Interrupted,
}

/// <summary>The outcome of a run.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Steps">Steps done in all.</param>
/// <param name="LastLoss">The loss of the last step.</param>
/// <param name="Evaluation">The last evaluation, if there was one.</param>
/// <param name="Folder">The results: the output directory, or the checkpoint after an interruption.</param>
public sealed record TrainingResult(TrainingEnd End, int Steps, double LastLoss, EvaluationResult? Evaluation, string Folder);
