using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.ModelCompilation;

/// <summary>The weights that a model's code asks for, in the order of the model.</summary>
internal static class ModelWeights
{
    public static IReadOnlyList<InitialWeight> Of(ModelSpec spec)
    {
        var weights = new List<InitialWeight> { new("model.embed_tokens.weight", InitialValues.Normal, spec.VocabularySize, spec.HiddenSize) };
        for (int layer = 0; layer < spec.Layers; layer++)
        {
            string block = FormattableString.Invariant($"model.layers.{layer}.");
            weights.Add(new(block + "input_layernorm.weight", InitialValues.Ones, spec.HiddenSize));
            foreach (LinearSpec linear in spec.BlockLinears)
            {
                weights.Add(new(block + linear.Path + ".weight", InitialValues.Normal, linear.Outputs, linear.Inputs));
                if (linear.Bias)
                {
                    weights.Add(new(block + linear.Path + ".bias", InitialValues.Zeros, linear.Outputs));
                }
            }

            if (spec.QueryKeyNorm)
            {
                weights.Add(new(block + "self_attn.q_norm.weight", InitialValues.Ones, spec.HeadSize));
                weights.Add(new(block + "self_attn.k_norm.weight", InitialValues.Ones, spec.HeadSize));
            }

            weights.Add(new(block + "post_attention_layernorm.weight", InitialValues.Ones, spec.HiddenSize));
        }

        weights.Add(new("model.norm.weight", InitialValues.Ones, spec.HiddenSize));
        if (!spec.TiedEmbeddings)
        {
            weights.Add(new("lm_head.weight", InitialValues.Normal, spec.VocabularySize, spec.HiddenSize));
        }

        return weights;
    }
}
