using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Types of weights by the names that config.json has for them.</summary>
internal static class WeightTypes
{
    public static bool IsKnown(string name) => name is "float32" or "float16" or "bfloat16";

    public static SafetensorsType Parse(string name) => name switch
    {
        "float32" => SafetensorsType.Float32,
        "float16" => SafetensorsType.Float16,
        _ => SafetensorsType.BFloat16,
    };
}
