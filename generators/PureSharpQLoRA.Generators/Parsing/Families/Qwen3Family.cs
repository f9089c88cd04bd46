using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>Qwen 3, dense: queries and keys are normed per head, and heads have 128 values whatever the width.</summary>
internal sealed class Qwen3Family : IModelFamily
{
    private static readonly DecoderFields Fields = new() { DefaultMaxPositions = 32768, DefaultHeadSize = 128 };

    public string Name => "Qwen3";

    public ModelSpec Parse(ConfigReader config)
    {
        bool attentionBias = config.Boolean("attention_bias", fallback: false);
        return SlidingLayers.ReadQwen(config, Fields.Read(config) with
        {
            QueryKeyNorm = true,
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
        });
    }
}
