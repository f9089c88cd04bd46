using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>Llama 1 to 3, TinyLlama, SmolLM and the many others that say model_type "llama".</summary>
internal sealed class LlamaFamily : IModelFamily
{
    private static readonly DecoderFields Fields = new() { DefaultMaxPositions = 2048, KeyValueHeadsMayBeAbsent = true };

    public string Name => "Llama";

    public ModelSpec Parse(ConfigReader config)
    {
        bool attentionBias = config.Boolean("attention_bias", fallback: false);
        return Fields.Read(config) with
        {
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
            MlpBias = config.Boolean("mlp_bias", fallback: false),
        };
    }
}
