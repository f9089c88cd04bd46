namespace PureSharpQLoRA.Generators.Model;

/// <summary>How rotary frequencies are stretched for contexts longer than the model was first trained on.</summary>
public enum RotaryKind
{
    /// <summary>f = theta^(-2i/d), not stretched.</summary>
    Default,

    /// <summary>f / factor.</summary>
    Linear,

    /// <summary>theta grows with the sequence once it is longer than the original context (dynamic NTK).</summary>
    Dynamic,

    /// <summary>YaRN: long wavelengths are interpolated, short ones kept (arXiv 2309.00071).</summary>
    Yarn,

    /// <summary>Llama 3.1's smooth step between kept and interpolated wavelengths.</summary>
    Llama3,
}

/// <summary>The rotary position embedding of a model.</summary>
public sealed record RotarySpec
{
    /// <summary>The kind of frequency scaling.</summary>
    public RotaryKind Kind { get; init; }

    /// <summary>The base of the frequencies.</summary>
    public double Theta { get; init; }

    /// <summary>The stretch; 1 where the kind has none.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Context the model was first trained on, in tokens; 0 where the kind does not use it.</summary>
    public int OriginalMaxPositions { get; init; }

    /// <summary>YaRN: rotations above which a frequency is kept.</summary>
    public double BetaFast { get; init; }

    /// <summary>YaRN: rotations below which a frequency is interpolated.</summary>
    public double BetaSlow { get; init; }

    /// <summary>YaRN: factor on cosines and sines.</summary>
    public double AttentionFactor { get; init; }

    /// <summary>Llama 3: wavelengths longer than original / this are interpolated.</summary>
    public double LowFrequencyFactor { get; init; }

    /// <summary>Llama 3: wavelengths shorter than original / this are kept.</summary>
    public double HighFrequencyFactor { get; init; }
}
