using PureSharpQLoRA.Core;
using PureSharpQLoRA.StepProfiler.Shapes;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.StepProfiler;

/// <summary>A model size to measure, with the batch it is measured at.</summary>
internal sealed record ModelShape(
    string Name, ModelDescription Sizes, int Batch, int Length, Func<string, IBackend, LoadOptions, CausalLanguageModel> Load)
{
    public static IReadOnlyList<ModelShape> All { get; } =
    [
        new("15m", Llama15M.Description, 8, 256, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama15M(scope))),
        new("135m", Llama135M.Description, 1, 256, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama135M(scope))),
        new("1.1b", Llama1B.Description, 1, 128, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama1B(scope))),
        new("8b", Llama8B.Description, 1, 64, (folder, backend, options) => ModelLoader.Load(folder, backend, options, scope => new Llama8B(scope))),
    ];

    /// <summary>Writes random bf16 weights of this shape.</summary>
    public void WriteWeights(string folder) => RandomModelWriter.Write(folder, [.. Weights()]);

    private IEnumerable<InitialWeight> Weights()
    {
        long width = Sizes.HiddenSize, mlp = Sizes.IntermediateSize, queries = Sizes.Heads * Sizes.HeadSize, keys = Sizes.KeyValueHeads * Sizes.HeadSize;
        yield return new InitialWeight("model.embed_tokens.weight", InitialValues.Normal, Sizes.VocabularySize, width);
        for (int layer = 0; layer < Sizes.Layers; layer++)
        {
            string block = FormattableString.Invariant($"model.layers.{layer}.");
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
        if (!Sizes.TiedEmbeddings)
        {
            yield return new InitialWeight("lm_head.weight", InitialValues.Normal, Sizes.VocabularySize, width);
        }
    }
}
