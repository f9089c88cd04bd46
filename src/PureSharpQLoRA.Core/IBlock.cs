namespace PureSharpQLoRA.Core;

/// <summary>A repeated part of a model, the unit of gradient checkpointing.</summary>
public interface IBlock
{
    /// <summary>Maps [tokens, width] to [tokens, width]. Must compute the same again when called again.</summary>
    Tensor Forward(Tape tape, Tensor x, SequenceLayout layout);
}
