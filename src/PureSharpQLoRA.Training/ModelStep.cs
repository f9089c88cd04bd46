using PureSharpQLoRA.Core;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training;

/// <summary>Runs a batch through a model to its loss; where the tape records, the backward pass can follow.</summary>
internal sealed class ModelStep(CausalLanguageModel model, Tape tape)
{
    private readonly SequenceLayout _layout = new();

    /// <summary>The summed loss of a batch.</summary>
    public double Loss(Batch batch, float gradientScale)
    {
        _layout.Set(batch.Starts);
        Tensor ids = tape.NewTensor(new Shape(batch.Tokens), DataType.Int32);
        tape.Backend.Upload(batch.Ids, ids);
        Tensor hidden = model.Forward(tape, ids, _layout);
        return model.Head.Loss(tape, hidden, batch.Labels, gradientScale);
    }
}
