using System.Globalization;
using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>The rotary embedding: rope_parameters in newer configs, rope_theta and rope_scaling in older ones.</summary>
internal static class RotaryFields
{
    private const int MostPositions = 1 << 28;

    public static RotarySpec Read(ConfigReader config, int maxPositions, double defaultTheta)
    {
        double theta = config.Number("rope_theta", above: 0, fallback: defaultTheta);
        ConfigReader? nested = config.Object("rope_parameters");
        ConfigReader? scaling = config.Object("rope_scaling");
        if ((nested ?? scaling) is not { } fields)
        {
            return new RotarySpec { Theta = theta };
        }

        double nestedTheta = fields.Number("rope_theta", above: 0, fallback: theta);
        if (config.Has("rope_theta") && nestedTheta != theta)
        {
            config.Contradiction("rope_theta", $"'rope_theta' is {Show(theta)} here and {Show(nestedTheta)} in the rotary settings");
        }

        NeutralFields.Check(fields);
        return ReadKind(fields, maxPositions) with { Theta = nestedTheta };
    }

    private static RotarySpec ReadKind(ConfigReader fields, int maxPositions)
    {
        string? kind = fields.String("rope_type");
        string? olderKind = fields.String("type");
        if (kind is not null && olderKind is not null && kind != olderKind)
        {
            fields.Contradiction("type", $"'type' is '{olderKind}', but 'rope_type' is '{kind}'");
        }

        switch (kind ?? olderKind)
        {
            case "default":
                return new RotarySpec();
            case "linear":
                return new RotarySpec { Kind = RotaryKind.Linear, Factor = fields.Stretch("factor") };
            case "dynamic":
                return new RotarySpec { Kind = RotaryKind.Dynamic, Factor = fields.Stretch("factor"), OriginalMaxPositions = maxPositions };
            case "yarn":
                return ReadYarn(fields, maxPositions);
            case "llama3":
                return ReadLlama3(fields);
            case null:
                return ReadWithoutKind(fields);
            case { } other:
                JsonNode node = (fields.Peek("rope_type") ?? fields.Peek("type"))!;
                fields.Report(Descriptors.UnsupportedRotary, node, other, "default, linear, dynamic, yarn, llama3");
                return new RotarySpec();
        }
    }

    private static RotarySpec ReadWithoutKind(ConfigReader fields)
    {
        if (fields.Node.Members.Values.FirstOrDefault(node => node.Kind == JsonKind.Object) is { } perLayerKind)
        {
            fields.Report(Descriptors.UnsupportedRotary, perLayerKind, "one per kind of layer", "a single one for all layers");
        }
        else if (fields.Node.Members.Keys.Any(name => name != "rope_theta" && name != "partial_rotary_factor"))
        {
            fields.Missing("rope_type", "it must be one of default, linear, dynamic, yarn, llama3");
        }

        return new RotarySpec();
    }

    private static RotarySpec ReadYarn(ConfigReader fields, int maxPositions)
    {
        double factor = fields.Stretch("factor");
        if (!fields.Boolean("truncate", fallback: true))
        {
            fields.Unsupported("truncate", fields.Peek("truncate")!, "only true is");
        }

        double betaFast = fields.Number("beta_fast", above: 0, fallback: 32);
        double betaSlow = fields.Number("beta_slow", above: 0, fallback: 1);
        if (betaFast < betaSlow)
        {
            fields.Contradiction("beta_fast", $"'beta_fast' ({Show(betaFast)}) must not be below 'beta_slow' ({Show(betaSlow)})");
        }

        return new RotarySpec
        {
            Kind = RotaryKind.Yarn,
            Factor = factor,
            OriginalMaxPositions = fields.Integer("original_max_position_embeddings", 1, MostPositions, maxPositions),
            BetaFast = betaFast,
            BetaSlow = betaSlow,
            AttentionFactor = fields.Number("attention_factor", above: 0, fallback: DefaultAttentionFactor(fields, factor)),
        };
    }

    /// <summary>0.1 ln(factor) + 1 (YaRN, equation 22), or the quotient of two of these where the config names both scales.</summary>
    private static double DefaultAttentionFactor(ConfigReader fields, double factor)
    {
        double scale = fields.Number("mscale", above: 0, fallback: 0);
        double scaleOfAll = fields.Number("mscale_all_dim", above: 0, fallback: 0);
        return scale > 0 && scaleOfAll > 0 ? Magnitude(scale) / Magnitude(scaleOfAll) : Magnitude(1);

        double Magnitude(double of) => (0.1 * of * Math.Log(factor)) + 1;
    }

    private static RotarySpec ReadLlama3(ConfigReader fields)
    {
        double low = fields.RequiredNumber("low_freq_factor", above: 0);
        double high = fields.RequiredNumber("high_freq_factor", above: 0);
        if (!fields.HasErrors && high <= low)
        {
            fields.Contradiction("high_freq_factor", $"'high_freq_factor' ({Show(high)}) must be above 'low_freq_factor' ({Show(low)})");
        }

        return new RotarySpec
        {
            Kind = RotaryKind.Llama3,
            Factor = fields.Stretch("factor"),
            LowFrequencyFactor = low,
            HighFrequencyFactor = high,
            OriginalMaxPositions = fields.RequiredInteger("original_max_position_embeddings", 1, MostPositions),
        };
    }

    private static string Show(double value) => value.ToString(CultureInfo.InvariantCulture);
}
