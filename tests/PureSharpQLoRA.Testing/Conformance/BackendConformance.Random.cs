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
                ulong seed = 0x1234_5678_9ABC_DEF0 + (ulong)width;
                Operand x = Random(shape);
                double[] exact = ReferenceDropout.Dropout(x.Values, probability, seed);
                GuardedOutput y = Output(shape);
                Backend.Dropout(x.Tensor, y.Tensor, probability, seed, accumulate: false);
                double[] actual = y.Read();
                Assert.Equal(exact.Select(value => value == 0), actual.Select(value => value == 0));
                Accuracy.AssertClose(exact, actual, Bounds.Elementwise, $"{shape}");

                double[] before = RandomValues(exact.Length);
                y = Output(shape, before);
                Backend.Dropout(x.Tensor, y.Tensor, probability, seed, accumulate: true);
                Accuracy.AssertClose(ReferenceElementwise.Add(before, exact), y.Read(), Bounds.Elementwise, $"added, {shape}");
                Scope.Reset();
            }
        }
    }

    [Fact]
    public void Dropout_masks_have_their_share_depend_on_the_seed_and_repeat()
    {
        const int Count = 200_000;
        const float Probability = 0.3f;
        var shape = new Shape(Count / 200, 200);
        Operand ones = Operand(shape, [.. Enumerable.Repeat(1.0, Count)]);
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
            GuardedOutput y = Output(shape);
            Backend.Dropout(ones.Tensor, y.Tensor, Probability, seed, accumulate: false);
            return y.Read();
        }
    }

    [Fact]
    public void Noise_is_uniform_within_its_amplitude()
    {
        const float Amplitude = 0.05f;
        foreach (int width in Widths)
        {
            var shape = new Shape(129, width);
            Operand x = Random(shape);
            GuardedOutput y = Output(shape, x.Values);
            Backend.AddUniformNoise(y.Tensor, Amplitude, 77);
            Accuracy.AssertClose(ReferenceDropout.AddUniformNoise(x.Values, Amplitude, 77), y.Read(), Bounds.Elementwise, $"{shape}");
            Scope.Reset();
        }

        const int Count = 100_000;
        GuardedOutput noise = Output(new Shape(Count / 100, 100), new double[Count]);
        Backend.AddUniformNoise(noise.Tensor, Amplitude, 78);
        double[] values = noise.Read();
        Assert.All(values, value => Assert.InRange(value, -Amplitude, Amplitude));

        // A uniform distribution on [-a, a] has the variance a² / 3 and the fourth moment a⁴ / 5.
        double deviation = Amplitude / Math.Sqrt(3);
        double mean = values.Average(), variance = values.Average(value => value * value);
        Assert.InRange(mean, -4 * deviation / Math.Sqrt(Count), 4 * deviation / Math.Sqrt(Count));
        double relative = 4 * Math.Sqrt(((9.0 / 5) - 1) / Count);
        Assert.InRange(variance / (deviation * deviation), 1 - relative, 1 + relative);
    }
}
