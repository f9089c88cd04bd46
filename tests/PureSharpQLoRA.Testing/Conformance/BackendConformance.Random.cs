using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(0)]
    [InlineData(0.1f)]
    [InlineData(0.5f)]
    [InlineData(0.9f)]
    public void Dropout_follows_the_counter(float probability)
    {
        foreach (int tokens in TokenCounts)
        {
            foreach (int width in Widths)
            {
                var shape = new Shape(tokens, width);
                if (IsTooLarge(shape.Count))
                {
                    continue;
                }

                ulong seed = 0x1234_5678_9ABC_DEF0 + (ulong)width;
                Operand x = Activation(shape);
                double[] exact = ReferenceDropout.Dropout(x.Values, probability, seed);
                GuardedOutput y = ActivationOutput(shape);
                Backend.Dropout(x.Tensor, y.Tensor, probability, seed, accumulate: false);
                Assert.Equal(exact.Select(value => value == 0), y.Read().Select(value => value == 0));
                y.AssertClose(exact, Bounds.Elementwise, $"{shape}");

                double[] before = RandomActivations(exact.Length);
                y = ActivationOutput(shape, before);
                Backend.Dropout(x.Tensor, y.Tensor, probability, seed, accumulate: true);
                y.AssertClose(ReferenceElementwise.Add(before, exact), Bounds.Elementwise, $"added, {shape}");
                Scope.Reset();
            }
        }
    }

    [Fact]
    public void Dropout_masks_have_their_share_depend_on_the_seed_and_repeat()
    {
        const int Count = 200_000;
        const float Probability = 0.3f;
        SkipIfTooLarge(Count);
        var shape = new Shape(Count / 200, 200);
        Operand ones = Operand(shape, [.. Enumerable.Repeat(1.0, Count)], Activations);
        double[] first = Masked(1), again = Masked(1), other = Masked(2);
        Assert.Equal(first, again);

        // Four standard deviations of a binomial share.
        double spread = 4 * Math.Sqrt(Probability * (1 - Probability) / Count);
        Assert.InRange(first.Count(value => value == 0) / (double)Count, Probability - spread, Probability + spread);

        // Masks of different seeds agree where both or neither drop.
        double agreement = (Probability * Probability) + ((1 - Probability) * (1 - Probability));
        double agreeing = first.Zip(other, (a, b) => (a == 0) == (b == 0)).Count(equal => equal) / (double)Count;
        Assert.InRange(agreeing, agreement - spread, agreement + spread);

        double[] Masked(ulong seed)
        {
            GuardedOutput y = ActivationOutput(shape);
            Backend.Dropout(ones.Tensor, y.Tensor, Probability, seed, accumulate: false);
            return y.Read();
        }
    }

    [Fact]
    public void Noise_follows_the_counter()
    {
        const float Amplitude = 0.05f;
        foreach (int width in Widths)
        {
            var shape = new Shape(TokenCounts[^1], width);
            Operand x = Activation(shape);
            GuardedOutput y = ActivationOutput(shape, x.Values);
            Backend.AddUniformNoise(y.Tensor, Amplitude, 77);
            y.AssertClose(ReferenceDropout.AddUniformNoise(x.Values, Amplitude, 77), Bounds.Elementwise, $"{shape}");
            Scope.Reset();
        }
    }

    [Fact]
    public void Noise_has_the_moments_of_a_uniform_distribution()
    {
        const float Amplitude = 0.05f;
        const int Count = 100_000;
        SkipIfTooLarge(Count);
        GuardedOutput noise = ActivationOutput(new Shape(Count / 100, 100), new double[Count]);
        Backend.AddUniformNoise(noise.Tensor, Amplitude, 78);
        double[] values = noise.Read();
        Assert.All(values, value => Assert.True(Math.Abs(value) <= Amplitude * (1 + Bounds.Elementwise), $"{value}"));

        // A uniform distribution on [-a, a] has the variance a² / 3 and the fourth moment a⁴ / 5.
        double deviation = Amplitude / Math.Sqrt(3);
        double mean = values.Average(), variance = values.Average(value => value * value);
        Assert.InRange(mean, -4 * deviation / Math.Sqrt(Count), 4 * deviation / Math.Sqrt(Count));
        double relative = 4 * Math.Sqrt(((9.0 / 5) - 1) / Count);
        Assert.InRange(variance / (deviation * deviation), 1 - relative, 1 + relative);
    }
}
