namespace PureSharpQLoRA.Core.Tests.Attention;

public sealed class AttentionTests
{
    private const double Tolerance = 2e-6;

    private static readonly string[] Gradients = ["dQuery", "dKey", "dValue"];

    [Theory]
    [InlineData(8)]
    [InlineData(16)]
    [InlineData(24)]
    [InlineData(48)]
    [InlineData(50)]
    [InlineData(64)]
    [InlineData(80)]
    [InlineData(96)]
    [InlineData(112)]
    [InlineData(128)]
    [InlineData(256)]
    public void HeadSizes(int size) => Check(new AttentionShape(2, 1, size, 1 / MathF.Sqrt(size)), [100, 33, 45]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(63)]
    [InlineData(100)]
    [InlineData(257)]
    [InlineData(300)]
    public void Lengths(int length) => Check(new AttentionShape(3, 3, 48, 1 / MathF.Sqrt(48)), [length]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void Groups(int group) => Check(new AttentionShape(2 * group, 2, 64, 0.125f), [140, 1, 32, 61]);

    [Fact]
    public void ManyDocuments() => Check(new AttentionShape(2, 2, 16, 0.25f), [1, 2, 31, 32, 33, 63, 100, 257, 300, 17]);

    [Fact]
    public void EmptyDocuments() => Check(new AttentionShape(2, 2, 16, 0.25f), [0, 40, 0, 0, 7, 0]);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(17)]
    [InlineData(32)]
    [InlineData(100)]
    [InlineData(299)]
    [InlineData(1000)]
    public void Windows(int window) => Check(new AttentionShape(4, 2, 48, 1 / MathF.Sqrt(48), window), [300, 3, 65]);

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(1, 1, 0)]
    [InlineData(1, 255, 0)]
    [InlineData(1, 600, 0)]
    [InlineData(4, 77, 0)]
    [InlineData(5, 77, 0)]
    [InlineData(40, 3, 0)]
    [InlineData(37, 300, 0)]
    [InlineData(64, 512, 0)]
    [InlineData(1, 600, 100)]
    [InlineData(3, 99, 100)]
    [InlineData(37, 300, 50)]
    [InlineData(70, 33, 40)]
    public void Past(int tokens, int past, int window)
    {
        foreach (int size in new[] { 8, 50, 64 })
        {
            using var test = new AttentionCase(new AttentionShape(6, 2, size, 1 / MathF.Sqrt(size), window), [tokens], past);
            test.Forward();
            AttentionReference exact = test.Exact(withGradients: false);
            Assert.InRange(test.Error("output", exact.Output), 0, Tolerance);
            Assert.InRange(test.Error("logSumExp", exact.LogSumExp), 0, Tolerance);
        }
    }

    [Theory]
    [InlineData(2, 400, 0)]
    [InlineData(1, 1100, 0)]
    [InlineData(4, 500, 128)]
    public void LongDocuments(int heads, int length, int window) => Check(new AttentionShape(heads, 1, 16, 0.25f, window), [length]);

    [Fact]
    public void OutputWithoutLogarithmsIsTheSame()
    {
        using var test = new AttentionCase(new AttentionShape(6, 3, 64, 0.125f), [100, 7]);
        test.Forward();
        float[] expected = test.Values("output").ToArray();
        test.Values("output").Clear();
        test.Values("logSumExp").Fill(7);
        test.Forward(keepLogarithms: false);
        Assert.True(test.Values("output").SequenceEqual(expected));
        Assert.True(test.Values("logSumExp").IndexOfAnyExcept(7f) < 0);
    }

    [Fact]
    public void LargeScoresStayFinite()
    {
        using var test = new AttentionCase(new AttentionShape(2, 2, 64, 0.125f), [300]);
        foreach (ref float x in test.Values("query"))
        {
            x *= 300;
        }

        test.Forward();
        test.Backward();
        AttentionReference exact = test.Exact(withGradients: true);
        // A score of about 1000 has a rounding error of 1e-4 in fp32, and so has a probability.
        Assert.InRange(test.Error("output", exact.Output), 0, 1e-3);
        Assert.InRange(test.Error("dValue", exact.ValueGradient), 0, 1e-3);
    }

    [Fact]
    public void TheReferenceHasTheGradientsOfItsOutput()
    {
        var shape = new AttentionShape(4, 2, 3, 0.6f, SlidingWindow: 4);
        int[] starts = [0, 7, 9];
        var random = new Random(4);
        double[] query = Random(random, 9 * shape.QueryWidth), gradient = Random(random, 9 * shape.QueryWidth);
        double[] key = Random(random, 9 * shape.KeyWidth), value = Random(random, 9 * shape.KeyWidth);
        var exact = new AttentionReference(shape, starts, 0);
        exact.Run(query, key, value, gradient);
        foreach ((double[] operand, double[] expected) in new[] { (query, exact.QueryGradient), (key, exact.KeyGradient), (value, exact.ValueGradient) })
        {
            for (int i = 0; i < operand.Length; i++)
            {
                const double Step = 1e-5;
                double middle = operand[i];
                operand[i] = middle + Step;
                double above = Loss();
                operand[i] = middle - Step;
                double slope = (above - Loss()) / (2 * Step);
                operand[i] = middle;
                Assert.Equal(expected[i], slope, 1e-8);
            }
        }

        double Loss()
        {
            var reference = new AttentionReference(shape, starts, 0);
            reference.Run(query, key, value, null);
            return reference.Output.Zip(gradient, (a, b) => a * b).Sum();
        }
    }

    private static double[] Random(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => 2 * random.NextDouble() - 1)];

    private static void Check(AttentionShape shape, int[] lengths)
    {
        using var test = new AttentionCase(shape, lengths);
        test.Forward();
        test.Backward();
        AttentionReference exact = test.Exact(withGradients: true);
        Assert.InRange(test.Error("output", exact.Output), 0, Tolerance);
        Assert.InRange(test.Error("logSumExp", exact.LogSumExp), 0, Tolerance);
        double[][] gradients = [exact.QueryGradient, exact.KeyGradient, exact.ValueGradient];
        for (int i = 0; i < gradients.Length; i++)
        {
            double error = test.Error(Gradients[i], gradients[i]);
            Assert.True(error <= Tolerance, $"{Gradients[i]}: {error}");
        }
    }
}
