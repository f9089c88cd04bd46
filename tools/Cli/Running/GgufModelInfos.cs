using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>From what config.json says to what GGUF says.</summary>
internal static class GgufModelInfos
{
    /// <param name="spec">The model.</param>
    /// <param name="name">Its name for people.</param>
    /// <param name="warn">Is told where GGUF's readers compute something else.</param>
    /// <exception cref="CliException">The family has no GGUF form here.</exception>
    public static GgufModelInfo Of(ModelSpec spec, string name, Action<string> warn)
    {
        if (spec.LayersWithoutRotary.Count > 0)
        {
            throw new CliException($"{spec.FamilyName} has layers without rotary embedding, which this version does not write as GGUF; use merge for a folder of safetensors.");
        }

        RotarySpec rotary = spec.Rotary;
        var info = new GgufModelInfo
        {
            ModelType = spec.ModelType,
            Name = name,
            VocabularySize = spec.VocabularySize,
            HiddenSize = spec.HiddenSize,
            IntermediateSize = spec.IntermediateSize,
            Layers = spec.Layers,
            Heads = spec.Heads,
            KeyValueHeads = spec.KeyValueHeads,
            HeadSize = spec.HeadSize,
            ContextLength = spec.MaxPositions,
            NormEpsilon = (float)spec.NormEpsilon,
            RopeTheta = (float)rotary.Theta,
        };
        if (spec.SlidingWindow > 0)
        {
            warn($"llama.cpp has no sliding window for this family: texts longer than {spec.SlidingWindow} tokens give other results there.");
        }

        switch (rotary.Kind)
        {
            case RotaryKind.Linear:
                return info with { RopeScaling = GgufRopeScaling.Linear, RopeFactor = (float)rotary.Factor };
            case RotaryKind.Yarn:
                return info with
                {
                    RopeScaling = GgufRopeScaling.Yarn,
                    RopeFactor = (float)rotary.Factor,
                    RopeOriginalContext = rotary.OriginalMaxPositions,
                    YarnBetaFast = (float)rotary.BetaFast,
                    YarnBetaSlow = (float)rotary.BetaSlow,
                    YarnAttentionFactor = (float)rotary.AttentionFactor,
                };
            case RotaryKind.Llama3:
                return info with { RopeFactors = Factors(spec) };
            case RotaryKind.Dynamic:
                warn($"GGUF has no dynamic rotary scaling: texts longer than {rotary.OriginalMaxPositions} tokens give other results there.");
                return info;
            default:
                return info;
        }
    }

    /// <summary>By what Llama 3's scaling divides each frequency.</summary>
    private static float[] Factors(ModelSpec spec)
    {
        RotarySpec rotary = spec.Rotary;
        float[] plain = RotaryScaling.Default((float)rotary.Theta).Frequencies(spec.HeadSize, spec.MaxPositions);
        float[] scaled = RotaryScaling.Llama3(
            (float)rotary.Theta, (float)rotary.Factor, (float)rotary.LowFrequencyFactor, (float)rotary.HighFrequencyFactor, rotary.OriginalMaxPositions)
            .Frequencies(spec.HeadSize, spec.MaxPositions);
        return [.. plain.Zip(scaled, (before, after) => before / after)];
    }
}
