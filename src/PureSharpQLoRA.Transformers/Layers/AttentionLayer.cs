using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>Causal grouped-query attention of one block; it has no weights of its own and doesn't know whether its projections carry adapters.</summary>
public sealed class AttentionLayer : Module
{
    private readonly AttentionShape _shape;
    private readonly int _layer;

    internal AttentionLayer(int layer, in AttentionShape shape) => (_layer, _shape) = (layer, shape);

    /// <summary>Each query's mixture of the values it sees.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="query">[tokens, heads * headSize].</param>
    /// <param name="key">[tokens, keyValueHeads * headSize].</param>
    /// <param name="value">[tokens, keyValueHeads * headSize].</param>
    /// <param name="layout">The documents.</param>
    /// <returns>[tokens, heads * headSize].</returns>
    public Tensor Forward(Tape tape, Tensor query, Tensor key, Tensor value, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Attention(query, key, value, layout, _shape, _layer);
    }
}
