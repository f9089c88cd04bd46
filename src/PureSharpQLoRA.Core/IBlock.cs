namespace PureSharpQLoRA.Core;

/// <summary>
/// A repeated part of a model, the unit of gradient checkpointing, in its two halves. Only the first lets tokens see each other, so that the second, whose
/// results are the widest of all, can be computed for a part of the tokens at a time. Each must compute the same again when called again.
/// </summary>
public interface IBlock
{
    /// <summary>The attention with its residual connection: maps [tokens, width] to [tokens, width].</summary>
    Tensor Attend(Tape tape, Tensor x, SequenceLayout layout);

    /// <summary>The MLP with its residual connection: maps [tokens, width] to [tokens, width], each token by itself.</summary>
    Tensor Transform(Tape tape, Tensor x);
}
