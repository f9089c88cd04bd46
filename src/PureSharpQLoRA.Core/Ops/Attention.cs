namespace PureSharpQLoRA.Core;

/// <summary>The fixed sizes of an attention layer.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Key and value heads; each serves heads / keyValueHeads query heads (Ainslie et al. 2023, arXiv:2305.13245).</param>
/// <param name="HeadSize">Values per head.</param>
/// <param name="Scale">Factor on the products of queries and keys, usually 1 / sqrt(head size).</param>
/// <param name="SlidingWindow">How many tokens back a query sees, itself included; 0 for all.</param>
public readonly record struct AttentionShape(int Heads, int KeyValueHeads, int HeadSize, float Scale, int SlidingWindow = 0)
{
    /// <summary>Width of the queries and of the result.</summary>
    public int QueryWidth => Heads * HeadSize;

    /// <summary>Width of the keys and of the values.</summary>
    public int KeyWidth => KeyValueHeads * HeadSize;
}

public partial interface IBackend
{
    /// <summary>
    /// Causal attention inside each document with an online softmax: the scores of a whole document are never in memory
    /// (Dao et al. 2022, arXiv:2205.14135).
    /// </summary>
    /// <param name="query">[tokens, heads * size], activation type.</param>
    /// <param name="key">[tokens, key heads * size], activation type, or a cache with at least <paramref name="past"/> + tokens rows.</param>
    /// <param name="value">As the keys.</param>
    /// <param name="output">As the queries.</param>
    /// <param name="logSumExp">[heads, tokens] fp32 for the backward pass, or null.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="starts">Document boundaries, [documents + 1].</param>
    /// <param name="past">Tokens ahead of the first query in the keys and values; only with a single document.</param>
    void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past);

    /// <summary>The gradients of <see cref="Attention"/>, overwriting dQuery, dKey and dValue. All in the activation type, logSumExp in fp32.</summary>
    void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts);
}

/// <summary>Scaled dot-product attention.</summary>
public static class AttentionOps
{
    /// <summary>Causal attention within each document of the layout; with a cache, over the earlier tokens too.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="query">[tokens, heads * headSize].</param>
    /// <param name="key">[tokens, keyValueHeads * headSize].</param>
    /// <param name="value">[tokens, keyValueHeads * headSize].</param>
    /// <param name="layout">The documents.</param>
    /// <param name="shape">The sizes.</param>
    /// <param name="layer">Which layer of the cache.</param>
    /// <returns>[tokens, heads * headSize]. The backward pass reads it again, so it must not be spent.</returns>
    public static Tensor Attention(this Tape tape, Tensor query, Tensor key, Tensor value, SequenceLayout layout, in AttentionShape shape, int layer)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(layout);
        ShapeException.ThrowIfNot(query, new Shape(layout.Tokens, shape.QueryWidth), "Attention", "query");
        ShapeException.ThrowIfNot(key, new Shape(layout.Tokens, shape.KeyWidth), "Attention", "key");
        ShapeException.ThrowIfNot(value, new Shape(layout.Tokens, shape.KeyWidth), "Attention", "value");
        Tensor output = tape.NewTensor(query.Shape);
        if (layout.Cache is { } cache)
        {
            tape.Backend.Copy(key, tape.Rows(cache.Keys(layer), cache.Length, layout.Tokens));
            tape.Backend.Copy(value, tape.Rows(cache.Values(layer), cache.Length, layout.Tokens));
            tape.Backend.Attention(query, cache.Keys(layer), cache.Values(layer), output, null, shape, layout.Starts, cache.Length);
            return output;
        }

        bool recorded = tape.IsRecording && (query.RequiresGradient || key.RequiresGradient || value.RequiresGradient);
        Tensor? logSumExp = recorded ? tape.NewTensor(new Shape(shape.Heads, layout.Tokens), DataType.Float32) : null;
        tape.Backend.Attention(query, key, value, output, logSumExp, shape, layout.Starts, past: 0);
        if (recorded)
        {
            AttentionNode node = tape.NewNode<AttentionNode>();
            node.Set(query, key, value, logSumExp!, layout, shape);
            tape.Record(node, output);
        }

        return output;
    }

    private sealed class AttentionNode : TapeNode
    {
        private Tensor? _query;
        private Tensor? _key;
        private Tensor? _value;
        private Tensor? _logSumExp;
        private SequenceLayout? _layout;
        private AttentionShape _shape;

        public void Set(Tensor query, Tensor key, Tensor value, Tensor logSumExp, SequenceLayout layout, in AttentionShape shape) =>
            (_query, _key, _value, _logSumExp, _layout, _shape) = (query, key, value, logSumExp, layout, shape);

        protected internal override void Backward(Tape tape)
        {
            Tensor gradient = Tape.GradientOf(Output)!;
            Tensor query = tape.Saved(_query!), key = tape.Saved(_key!), value = tape.Saved(_value!);
            Tensor dQuery = tape.NewTensor(query.Shape), dKey = tape.NewTensor(key.Shape), dValue = tape.NewTensor(value.Shape);
            tape.Backend.AttentionBackward(query, key, value, Output, _logSumExp!, gradient, dQuery, dKey, dValue, _shape, _layout!.Starts);
            tape.PassGradient(dQuery, query);
            tape.PassGradient(dKey, key);
            tape.PassGradient(dValue, value);
            dQuery.ReleaseMemory();
            dKey.ReleaseMemory();
            dValue.ReleaseMemory();
        }

        protected internal override void Clear()
        {
            _logSumExp?.ReleaseMemory();
            (_query, _key, _value, _logSumExp, _layout) = (null, null, null, null, null);
        }
    }
}
