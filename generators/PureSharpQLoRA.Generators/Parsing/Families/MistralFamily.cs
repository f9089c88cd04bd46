using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>Mistral 7B and its relatives: Llama's block, where attention may look back a window only.</summary>
internal sealed class MistralFamily : IModelFamily
{
    private static readonly DecoderFields Fields = new() { DefaultMaxPositions = 131072 };

    public string Name => "Mistral";

    public ModelSpec Parse(ConfigReader config)
    {
        // A config that does not mention the window means 4096; null, as from 7B v0.2 on, means none.
        int window = config.Integer("sliding_window", 1, 1 << 28, config.Mentions("sliding_window") ? 0 : 4096);
        return SlidingLayers.All(Fields.Read(config), window);
    }
}
