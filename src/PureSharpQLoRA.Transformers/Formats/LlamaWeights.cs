using System.Globalization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The weights of a plain Llama, by name and shape, to begin with random values.</summary>
public static class LlamaWeights
{
    /// <summary>All weights of a Llama of the given sizes: matrices from a normal distribution, scales of norms 1.</summary>
    public static IEnumerable<InitialWeight> Of(ModelDescription sizes)
    {
        ArgumentNullException.ThrowIfNull(sizes);
        long width = sizes.HiddenSize, mlp = sizes.IntermediateSize, queries = (long)sizes.Heads * sizes.HeadSize, keys = (long)sizes.KeyValueHeads * sizes.HeadSize;
        yield return new InitialWeight("model.embed_tokens.weight", InitialValues.Normal, sizes.VocabularySize, width);
        for (int layer = 0; layer < sizes.Layers; layer++)
        {
            string block = string.Create(CultureInfo.InvariantCulture, $"model.layers.{layer}.");
            yield return new InitialWeight(block + "input_layernorm.weight", InitialValues.Ones, width);
            yield return new InitialWeight(block + "self_attn.q_proj.weight", InitialValues.Normal, queries, width);
            yield return new InitialWeight(block + "self_attn.k_proj.weight", InitialValues.Normal, keys, width);
            yield return new InitialWeight(block + "self_attn.v_proj.weight", InitialValues.Normal, keys, width);
            yield return new InitialWeight(block + "self_attn.o_proj.weight", InitialValues.Normal, width, queries);
            yield return new InitialWeight(block + "post_attention_layernorm.weight", InitialValues.Ones, width);
            yield return new InitialWeight(block + "mlp.gate_proj.weight", InitialValues.Normal, mlp, width);
            yield return new InitialWeight(block + "mlp.up_proj.weight", InitialValues.Normal, mlp, width);
            yield return new InitialWeight(block + "mlp.down_proj.weight", InitialValues.Normal, width, mlp);
        }

        yield return new InitialWeight("model.norm.weight", InitialValues.Ones, width);
        if (!sizes.TiedEmbeddings)
        {
            yield return new InitialWeight("lm_head.weight", InitialValues.Normal, sizes.VocabularySize, width);
        }
    }
}
