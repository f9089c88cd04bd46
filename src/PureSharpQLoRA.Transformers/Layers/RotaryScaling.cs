namespace PureSharpQLoRA.Transformers;

/// <summary>How rotary frequencies are stretched for longer contexts than the model was first trained on; kinds and names as in config.json.</summary>
public abstract record RotaryScaling
{
    private RotaryScaling(float theta) => Theta = theta;

    /// <summary>The base of the frequencies: f_i = theta^(-2i / size).</summary>
    public float Theta { get; }

    /// <summary>Factor on cosines and sines.</summary>
    public virtual float AttentionFactor => 1;

    /// <summary>The length from which the frequencies depend on the length itself; <see cref="int.MaxValue"/> for never.</summary>
    public virtual int FixedUpTo => int.MaxValue;

    /// <summary>The longest document that the scaling stretches a model's positions to.</summary>
    /// <param name="maxPositions">max_position_embeddings, which for some kinds stays at the length first trained on.</param>
    public virtual int LongestDocument(int maxPositions) => maxPositions;

    /// <summary>Frequencies as first published (Su et al. 2021, arXiv:2104.09864).</summary>
    public static RotaryScaling Default(float theta) => new DefaultScaling(theta);

    /// <summary>All frequencies divided by a factor: position interpolation (Chen et al. 2023, arXiv:2306.15595).</summary>
    public static RotaryScaling Linear(float theta, float factor) => new LinearScaling(theta, factor);

    /// <summary>A base that grows with the length once that passes the original: dynamic NTK scaling.</summary>
    public static RotaryScaling Dynamic(float theta, float factor, int originalMaxPositions) => new DynamicScaling(theta, factor, originalMaxPositions);

    /// <summary>Interpolates slow frequencies, keeps fast ones (Peng et al. 2023, arXiv:2309.00071).</summary>
    /// <param name="theta">The base.</param>
    /// <param name="factor">How much longer the context is.</param>
    /// <param name="originalMaxPositions">The length first trained on.</param>
    /// <param name="betaFast">Rotations over that length from which a frequency is kept.</param>
    /// <param name="betaSlow">Rotations below which it is interpolated.</param>
    /// <param name="attentionFactor">Factor on cosines and sines; 0.1 ln(factor) + 1 where config.json has none.</param>
    public static RotaryScaling Yarn(float theta, float factor, int originalMaxPositions, float betaFast, float betaSlow, float attentionFactor) =>
        new YarnScaling(theta, factor, originalMaxPositions, betaFast, betaSlow, attentionFactor);

    /// <summary>The scaling of Llama 3.1 and later: by wavelength, with a smooth transition.</summary>
    public static RotaryScaling Llama3(
        float theta, float factor, float lowFrequencyFactor, float highFrequencyFactor, int originalMaxPositions) =>
        new Llama3Scaling(theta, factor, lowFrequencyFactor, highFrequencyFactor, originalMaxPositions);

    /// <summary>The angle per position of each pair, for documents of up to <paramref name="length"/> tokens.</summary>
    /// <param name="headSize">Values per head.</param>
    /// <param name="length">The longest document.</param>
    /// <returns>[headSize / 2].</returns>
    public float[] Frequencies(int headSize, int length)
    {
        var frequencies = new float[headSize / 2];
        Fill(frequencies, headSize, length);
        return frequencies;
    }

    private protected abstract void Fill(Span<float> frequencies, int headSize, int length);

    private static int Stretched(int positions, float factor) => (int)Math.Min((double)factor * positions, int.MaxValue);

    private static float Plain(double theta, int pair, int headSize) => 1 / MathF.Pow((float)theta, (float)(2 * pair) / headSize);

    private sealed record DefaultScaling(float Base) : RotaryScaling(Base)
    {
        private protected override void Fill(Span<float> frequencies, int headSize, int length)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                frequencies[i] = Plain(Theta, i, headSize);
            }
        }
    }

    private sealed record LinearScaling(float Base, float Factor) : RotaryScaling(Base)
    {
        private protected override void Fill(Span<float> frequencies, int headSize, int length)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                frequencies[i] = Plain(Theta, i, headSize) / Factor;
            }
        }
    }

    private sealed record DynamicScaling(float Base, float Factor, int OriginalMaxPositions) : RotaryScaling(Base)
    {
        public override int FixedUpTo => OriginalMaxPositions;

        public override int LongestDocument(int maxPositions) => Math.Max(maxPositions, Stretched(OriginalMaxPositions, Factor));

        private protected override void Fill(Span<float> frequencies, int headSize, int length)
        {
            double theta = Theta;
            if (length > OriginalMaxPositions)
            {
                double stretch = ((double)Factor * length / OriginalMaxPositions) - (Factor - 1);
                theta *= Math.Pow(stretch, headSize / (headSize - 2.0));
            }

            for (int i = 0; i < frequencies.Length; i++)
            {
                frequencies[i] = Plain(theta, i, headSize);
            }
        }
    }

    private sealed record YarnScaling(float Base, float Factor, int OriginalMaxPositions, float BetaFast, float BetaSlow, float Attention)
        : RotaryScaling(Base)
    {
        public override float AttentionFactor => Attention;

        public override int LongestDocument(int maxPositions) => Math.Max(maxPositions, Stretched(OriginalMaxPositions, Factor));

        private protected override void Fill(Span<float> frequencies, int headSize, int length)
        {
            double low = Math.Max(0, Math.Floor(PairOf(BetaFast, headSize)));
            double high = Math.Min(headSize - 1, Math.Ceiling(PairOf(BetaSlow, headSize)));
            if (low == high)
            {
                high += 0.001;
            }

            for (int i = 0; i < frequencies.Length; i++)
            {
                float plain = Plain(Theta, i, headSize);
                float interpolated = (float)Math.Clamp((i - low) / (high - low), 0, 1);
                frequencies[i] = (plain / Factor * interpolated) + (plain * (1 - interpolated));
            }
        }

        /// <summary>The pair that turns so many times over the original length (equation 12 of the paper, solved for the pair).</summary>
        private double PairOf(float rotations, int headSize) =>
            headSize * Math.Log(OriginalMaxPositions / (rotations * 2 * Math.PI)) / (2 * Math.Log(Theta));
    }

    private sealed record Llama3Scaling(float Base, float Factor, float LowFactor, float HighFactor, int OriginalMaxPositions) : RotaryScaling(Base)
    {
        private protected override void Fill(Span<float> frequencies, int headSize, int length)
        {
            for (int i = 0; i < frequencies.Length; i++)
            {
                float plain = Plain(Theta, i, headSize);
                float wavelength = 2 * MathF.PI / plain;
                if (wavelength < OriginalMaxPositions / HighFactor)
                {
                    frequencies[i] = plain;
                }
                else if (wavelength > OriginalMaxPositions / LowFactor)
                {
                    frequencies[i] = plain / Factor;
                }
                else
                {
                    float smooth = ((OriginalMaxPositions / wavelength) - LowFactor) / (HighFactor - LowFactor);
                    frequencies[i] = ((1 - smooth) * plain / Factor) + (smooth * plain);
                }
            }
        }
    }
}
