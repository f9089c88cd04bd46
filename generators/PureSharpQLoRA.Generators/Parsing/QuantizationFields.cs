using PureSharpQLoRA.Generators.Diagnostics;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>quantization_config says how the weight files are stored: bitsandbytes NF4 is read, other formats are not.</summary>
internal static class QuantizationFields
{
    public static void Check(ConfigReader config)
    {
        if (config.Object("quantization_config") is not { } quantization)
        {
            return;
        }

        string? method = quantization.String("quant_method");
        if (method is not null && method != "bitsandbytes")
        {
            Report(quantization, "quant_method", $"Weights quantised by '{method}' cannot be read; use 16-bit or bitsandbytes 4-bit weights");
        }
        else if (quantization.Boolean("load_in_8bit", fallback: false))
        {
            Report(quantization, "load_in_8bit", "bitsandbytes 8-bit weights cannot be read; use 16-bit or bitsandbytes 4-bit weights");
        }
        else if (quantization.String("bnb_4bit_quant_type") is { } type && type != "nf4")
        {
            Report(quantization, "bnb_4bit_quant_type", $"4-bit type '{type}' cannot be read; only nf4 can");
        }
    }

    private static void Report(ConfigReader quantization, string name, string message) =>
        quantization.Report(Descriptors.UnsupportedQuantization, quantization.Peek(name)!, message);
}
