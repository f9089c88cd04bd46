using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>Rotary frequencies in double, written from the formulas of the papers and of transformers' documentation.</summary>
internal static class PlainRotary
{
    /// <summary>The angle per position of each pair, and the factor on cosines and sines.</summary>
    public static (double[] Frequencies, double Factor) Of(ModelConfig config, int length)
    {
        double[] plain = Default(config.Theta, config.HeadSize);
        if (config.Scaling is not { } scaling)
        {
            return (plain, 1);
        }

        double factor = scaling.GetProperty("factor").GetDouble();
        string kind = (scaling.TryGetProperty("rope_type", out JsonElement name) ? name : scaling.GetProperty("type")).GetString()!;
        return kind switch
        {
            "linear" => ([.. plain.Select(frequency => frequency / factor)], 1),
            "dynamic" => (Dynamic(config.Theta, config.HeadSize, factor, config.MaxPositions, length), 1),
            "yarn" => (
                Yarn(config.Theta, config.HeadSize, factor, scaling.GetProperty("original_max_position_embeddings").GetInt32()),
                (0.1 * Math.Log(factor)) + 1),
            "llama3" => (
                Llama3(
                    plain, factor, scaling.GetProperty("low_freq_factor").GetDouble(), scaling.GetProperty("high_freq_factor").GetDouble(),
                    scaling.GetProperty("original_max_position_embeddings").GetInt32()),
                1),
            _ => throw new NotSupportedException(kind),
        };
    }

    public static double[] Default(double theta, int headSize) =>
        [.. Enumerable.Range(0, headSize / 2).Select(pair => Math.Pow(theta, -2.0 * pair / headSize))];

    /// <summary>theta' = theta * ((factor * length / original) - (factor - 1))^(d / (d - 2)).</summary>
    public static double[] Dynamic(double theta, int headSize, double factor, int original, int length) => length <= original
        ? Default(theta, headSize)
        : Default(theta * Math.Pow((factor * length / original) - (factor - 1), headSize / (headSize - 2.0)), headSize);

    /// <summary>A blend by how often a pair turns in the original length: 32 times and more are kept, once and less are divided.</summary>
    public static double[] Yarn(double theta, int headSize, double factor, int original)
    {
        double low = Math.Max(Math.Floor(PairTurning(32)), 0), high = Math.Min(Math.Ceiling(PairTurning(1)), headSize - 1);
        double[] plain = Default(theta, headSize);
        for (int pair = 0; pair < plain.Length; pair++)
        {
            double blend = Math.Min(1, Math.Max(0, (pair - low) / (low == high ? 0.001 : high - low)));
            plain[pair] *= (blend / factor) + (1 - blend);
        }

        return plain;

        // original * theta^(-2 pair / d) = 2 pi turns, solved for the pair.
        double PairTurning(double turns) => headSize * Math.Log(original / (2 * Math.PI * turns)) / (2 * Math.Log(theta));
    }

    /// <summary>By wavelength: short ones are kept, long ones divided by the factor, those between blended.</summary>
    public static double[] Llama3(double[] plain, double factor, double low, double high, int original) =>
    [
        .. plain.Select(frequency =>
        {
            double wavelength = 2 * Math.PI / frequency;
            if (wavelength < original / high)
            {
                return frequency;
            }

            if (wavelength > original / low)
            {
                return frequency / factor;
            }

            double smooth = ((original / wavelength) - low) / (high - low);
            return ((1 - smooth) * frequency / factor) + (smooth * frequency);
        }),
    ];
}
