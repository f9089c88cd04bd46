using PureSharpQLoRA.Core;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training;

/// <summary>The loss of a model on a data set.</summary>
/// <param name="Loss">Mean cross-entropy in nats over all target tokens.</param>
/// <param name="Targets">How many tokens were predicted.</param>
public readonly record struct EvaluationResult(double Loss, long Targets)
{
    /// <summary>e to the loss: among how many equally likely tokens the model hesitates.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>Measures loss without training.</summary>
public static class Evaluator
{
    /// <summary>The mean loss over all target tokens of the examples.</summary>
    /// <param name="model">The model, with the adapter that is in use.</param>
    /// <param name="tape">Computes; its recording flags are restored.</param>
    /// <param name="examples">What to predict.</param>
    /// <param name="batchSize">Examples computed at a time.</param>
    /// <param name="cancellation">Stops between batches.</param>
    /// <exception cref="TrainingException">No token of the examples is a target.</exception>
    public static EvaluationResult Evaluate(
        CausalLanguageModel model, Tape tape, IReadOnlyList<Example> examples, int batchSize, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(examples);
        if (!examples.Any(static example => example.CountTargets() > 0))
        {
            throw new TrainingException("There is nothing to evaluate on: the data set is empty, or all its labels are -100.");
        }

        (bool recording, bool training) = (tape.IsRecording, tape.IsTraining);
        (tape.IsRecording, tape.IsTraining) = (false, false);
        var batch = new Batch();
        using var step = new ModelStep(model, tape);
        long targets = 0;
        for (int first = 0; first < examples.Count; first += batchSize)
        {
            cancellation.ThrowIfCancellationRequested();
            batch.Clear();
            for (int i = first; i < Math.Min(examples.Count, first + batchSize); i++)
            {
                batch.Add(examples[i]);
            }

            step.AddLoss(batch, gradientScale: 0);
            targets += batch.TargetCount;
            tape.Reset();
        }

        (tape.IsRecording, tape.IsTraining) = (recording, training);
        return new EvaluationResult(step.ReadLoss() / targets, targets);
    }
}
