using PureSharpQLoRA.Core;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training;

/// <summary>
/// Runs batches through a model to their losses; where the tape records, the backward pass can follow. The losses add up on the device, so that
/// nothing waits for them before they are read.
/// </summary>
internal sealed class ModelStep : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly Tape _tape;
    private readonly SequenceLayout _layout = new();
    private readonly TensorScope _scope;
    private readonly Tensor _total;

    public ModelStep(CausalLanguageModel model, Tape tape)
    {
        (_model, _tape) = (model, tape);
        _scope = new TensorScope(tape.Backend.Memory, MemoryPurpose.Workspace);
        _total = _scope.Allocate(ElementwiseOps.TotalShape);
        ClearLoss();
    }

    /// <summary>Forgets the losses so far.</summary>
    public void ClearLoss() => _tape.Backend.Fill(_total, 0);

    /// <summary>Adds the losses of a batch.</summary>
    public void AddLoss(Batch batch, float gradientScale)
    {
        CheckIds(batch.Ids);
        _layout.Set(batch.Starts);
        Tensor ids = _tape.NewTensor(new Shape(batch.Tokens), DataType.Int32);
        _tape.Backend.Upload(batch.Ids, ids);
        Tensor hidden = _model.Forward(_tape, ids, _layout);
        _model.Head.Loss(_tape, hidden, batch.Labels, gradientScale, _total);
    }

    /// <summary>The sum of the losses; waits for the device.</summary>
    public double ReadLoss() => _tape.Backend.ReadTotal(_total);

    public void Dispose() => _scope.Dispose();

    /// <summary>A device that runs behind could not say so.</summary>
    private void CheckIds(ReadOnlySpan<int> ids)
    {
        int vocabulary = _model.Embedding.Weight.Shape[0], wrong = ids.IndexOfAnyExceptInRange(0, vocabulary - 1);
        if (wrong >= 0)
        {
            throw new TrainingException($"A text has the id {ids[wrong]}, but the model's vocabulary ends at {vocabulary - 1}: is the tokenizer another model's?");
        }
    }
}
