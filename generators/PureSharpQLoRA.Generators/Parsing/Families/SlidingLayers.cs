using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>Which layers' attention looks back a window only.</summary>
internal static class SlidingLayers
{
    /// <summary>A window on every layer; none where it is 0.</summary>
    public static ModelSpec All(ModelSpec spec, int window) => With(spec, window, Enumerable.Repeat(window > 0, spec.Layers));

    /// <summary>Qwen's fields: use_sliding_window, sliding_window, and layer_types or max_window_layers, the first layer with a window.</summary>
    public static ModelSpec ReadQwen(ConfigReader config, ModelSpec spec)
    {
        int window = config.Integer("sliding_window", 1, 1 << 28, config.Mentions("sliding_window") ? 0 : 4096);
        int first = config.Integer("max_window_layers", 0, 65536, 28);
        bool[]? types = ReadLayerTypes(config, spec.Layers);
        if (!config.Boolean("use_sliding_window", fallback: false))
        {
            return spec;
        }

        return With(spec, window, types ?? Enumerable.Range(0, spec.Layers).Select(layer => layer >= first));
    }

    /// <summary>layer_types, true for each sliding layer, or null where the config has no such list.</summary>
    private static bool[]? ReadLayerTypes(ConfigReader config, int layers)
    {
        const string Name = "layer_types";
        if (config.Find(Name) is not { } node)
        {
            return null;
        }

        if (node.Kind != JsonKind.Array)
        {
            config.WrongType(Name, node, "a list");
            return null;
        }

        foreach (JsonNode item in node.Items)
        {
            if (item is not { Kind: JsonKind.String, Text: "full_attention" or "sliding_attention" })
            {
                config.Unsupported(Name, item, "only \"full_attention\" and \"sliding_attention\" are");
            }
        }

        if (!config.HasErrors && node.Items.Count != layers)
        {
            config.Contradiction(Name, $"'{Name}' has {node.Items.Count} entries for {layers} layers");
        }

        return [.. node.Items.Select(item => item.Text == "sliding_attention")];
    }

    private static ModelSpec With(ModelSpec spec, int window, IEnumerable<bool> layers)
    {
        EquatableArray<bool> sliding = layers.ToEquatableArray();
        return window > 0 && sliding.Contains(true) ? spec with { SlidingWindow = window, SlidingLayers = sliding } : spec;
    }
}
