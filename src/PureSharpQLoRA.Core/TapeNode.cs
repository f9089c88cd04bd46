namespace PureSharpQLoRA.Core;

/// <summary>One recorded operation: the tensors its gradient needs, and how to compute it. Nodes are used again step after step.</summary>
public abstract class TapeNode
{
    /// <summary>What the operation computed.</summary>
    protected internal Tensor Output { get; internal set; } = null!;

    /// <summary>Whether <see cref="Recompute"/> restores the output from tensors that are kept anyway, at little cost.</summary>
    protected internal virtual bool CanRecompute => false;

    /// <summary>Adds this operation's contribution to the gradients of its inputs, given the gradient of <see cref="Output"/>.</summary>
    protected internal abstract void Backward(Tape tape);

    /// <summary>Computes the output again, into memory that is there already.</summary>
    protected internal virtual void Recompute(Tape tape) => throw new NotSupportedException($"{GetType().Name} keeps its output.");

    /// <summary>Drops all references and releases what the node alone holds.</summary>
    protected internal abstract void Clear();
}
