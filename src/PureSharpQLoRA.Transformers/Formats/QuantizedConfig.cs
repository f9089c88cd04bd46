using System.Text;
using System.Text.Json;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The config.json of a quantised model: the original text with `quantization_config` added at its end.</summary>
internal static class QuantizedConfig
{
    public static string Create(string path, DataType computeType, bool useDoubleQuant)
    {
        bool isEmpty = JsonFile.Read(path, root => CheckUnquantized(path, root));

        // The document was just parsed, so the last brace closes it; all other text stays as its author wrote it.
        string text = Encoding.UTF8.GetString(JsonFile.ReadBytes(path));
        text = text[..text.LastIndexOf('}')].TrimEnd();
        string type = computeType switch { DataType.Float32 => "float32", DataType.Float16 => "float16", _ => "bfloat16" };
        return $$"""
            {{text}}{{(isEmpty ? "" : ",")}}
              "quantization_config": {
                "_load_in_4bit": true,
                "_load_in_8bit": false,
                "bnb_4bit_compute_dtype": "{{type}}",
                "bnb_4bit_quant_storage": "uint8",
                "bnb_4bit_quant_type": "nf4",
                "bnb_4bit_use_double_quant": {{(useDoubleQuant ? "true" : "false")}},
                "llm_int8_enable_fp32_cpu_offload": false,
                "llm_int8_has_fp16_weight": false,
                "llm_int8_skip_modules": null,
                "llm_int8_threshold": 6.0,
                "load_in_4bit": true,
                "load_in_8bit": false,
                "quant_method": "bitsandbytes"
              }
            }
            """;
    }

    private static bool CheckUnquantized(string path, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new WeightFormatException(path, "the configuration must be a JSON object");
        }

        if (root.TryGetProperty("quantization_config", out JsonElement existing))
        {
            throw new WeightFormatException(path, existing.ValueKind == JsonValueKind.Null
                ? "remove the empty field quantization_config"
                : "the model is quantised already (it has a quantization_config); start from the original one");
        }

        return !root.EnumerateObject().Any();
    }
}
