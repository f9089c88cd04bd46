using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>SmolLM3: Llama's block, where every fourth layer has no rotary embedding (NoPE, Yang et al. 2025, arXiv:2501.18795).</summary>
internal sealed class SmolLm3Family : IModelFamily
{
    private const string LayerList = "no_rope_layers";
    private const int DefaultInterval = 4;

    private static readonly DecoderFields Fields = new() { DefaultMaxPositions = 32768, KeyValueHeadsMayBeAbsent = true };

    public string Name => "SmolLM3";

    public ModelSpec Parse(ConfigReader config)
    {
        bool attentionBias = config.Boolean("attention_bias", fallback: false);
        ModelSpec spec = SlidingLayers.ReadQwen(config, Fields.Read(config) with
        {
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
            MlpBias = config.Boolean("mlp_bias", fallback: false),
        });
        EquatableArray<bool> without = LayersWithoutRotary(config, spec.Layers);
        return without.Contains(true) ? spec with { LayersWithoutRotary = without } : spec;
    }

    /// <summary>Despite its name, 1 in the list means that the layer has the embedding, and 0 that it has not.</summary>
    private static EquatableArray<bool> LayersWithoutRotary(ConfigReader config, int layers)
    {
        int interval = config.Integer("no_rope_layer_interval", 1, 65536, DefaultInterval);
        if (config.Find(LayerList) is not { } node)
        {
            return Enumerable.Range(1, layers).Select(layer => layer % interval == 0).ToEquatableArray();
        }

        if (node.Kind != JsonKind.Array)
        {
            config.WrongType(LayerList, node, "a list");
            return [];
        }

        foreach (JsonNode item in node.Items)
        {
            if (item is not { Kind: JsonKind.Number, Text: "0" or "1" })
            {
                config.Unsupported(LayerList, item, "only 0 and 1 are");
            }
        }

        if (!config.HasErrors && node.Items.Count != layers)
        {
            config.Contradiction(LayerList, $"'{LayerList}' has {node.Items.Count} entries for {layers} layers");
        }

        return node.Items.Select(item => item.Text == "0").ToEquatableArray();
    }
}
