using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>Qwen 2 and 2.5: biases on queries, keys and values, and a window on the later layers where it is switched on.</summary>
internal sealed class Qwen2Family : IModelFamily
{
    private static readonly DecoderFields Fields = new() { DefaultMaxPositions = 32768 };

    public string Name => "Qwen2";

    public ModelSpec Parse(ConfigReader config) => SlidingLayers.ReadQwen(config, Fields.Read(config) with { QueryKeyValueBias = true });
}
