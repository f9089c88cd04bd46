namespace PureSharpQLoRA.Core.Tests;

public sealed class PhiloxTests
{
    /// <summary>The known answers of philox2x32 with 10 rounds that Random123 publishes (kat_vectors): counter, key, result.</summary>
    [Theory]
    [InlineData(0x00000000, 0x00000000, 0x00000000, 0xff1dae59, 0x6cd10df2)]
    [InlineData(0xffffffff, 0xffffffff, 0xffffffff, 0x2c3f628b, 0xab4fd7ad)]
    [InlineData(0x243f6a88, 0x85a308d3, 0x13198a2e, 0xdd7ce038, 0xf62a4c12)]
    public void Known_answers(uint counter0, uint counter1, uint key, uint result0, uint result1)
    {
        ulong bits = Philox.Bits(key, counter0 | ((ulong)counter1 << 32));
        Assert.Equal((result0, result1), ((uint)bits, (uint)(bits >> 32)));
    }

    [Fact]
    public void All_bits_of_the_seed_matter()
    {
        var seen = new HashSet<ulong> { Philox.Bits(0, 5) };
        for (int bit = 0; bit < 64; bit++)
        {
            Assert.True(seen.Add(Philox.Bits(1UL << bit, 5)), $"bit {bit}");
        }
    }

    [Fact]
    public void Uniform_numbers_have_their_range_mean_and_variance()
    {
        const int Count = 200_000;
        double sum = 0, squares = 0;
        for (int i = 0; i < Count; i++)
        {
            double value = Philox.Uniform(3, (ulong)i);
            Assert.InRange(value, 0, 0.99999999);
            sum += value - 0.5;
            squares += (value - 0.5) * (value - 0.5);
        }

        // Four standard errors: the variance is 1/12, the fourth central moment 1/80.
        Assert.InRange(sum / Count, -4 * Math.Sqrt(1.0 / 12 / Count), 4 * Math.Sqrt(1.0 / 12 / Count));
        Assert.InRange((squares / Count) - (1.0 / 12), -4 * Math.Sqrt(((1.0 / 80) - (1.0 / 144)) / Count), 4 * Math.Sqrt(((1.0 / 80) - (1.0 / 144)) / Count));
    }

    [Fact]
    public void Normal_numbers_have_their_moments()
    {
        const int Count = 200_000;
        double[] values = [.. Enumerable.Range(0, Count).Select(i => (double)Philox.Normal(9, (ulong)i))];
        Assert.All(values, value => Assert.True(double.IsFinite(value)));
        Assert.InRange(values.Average(), -4 / Math.Sqrt(Count), 4 / Math.Sqrt(Count));
        Assert.InRange(values.Average(value => value * value), 1 - (4 * Math.Sqrt(2.0 / Count)), 1 + (4 * Math.Sqrt(2.0 / Count)));
        Assert.InRange(values.Average(value => Math.Pow(value, 4)), 3 - (4 * Math.Sqrt(96.0 / Count)), 3 + (4 * Math.Sqrt(96.0 / Count)));
    }

    [Fact]
    public void Mixed_seeds_differ_by_part_and_by_name()
    {
        var seen = new HashSet<ulong>();
        for (ulong part = 0; part < 1000; part++)
        {
            Assert.True(seen.Add(Philox.Mix(1, part)));
        }

        Assert.NotEqual(Philox.Mix(1, "q_proj.A"), Philox.Mix(1, "q_proj.B"));
        Assert.NotEqual(Philox.Mix(1, "ab"), Philox.Mix(1, "ba"));
        Assert.NotEqual(Philox.Mix(1, "ab"), Philox.Mix(2, "ab"));
        Assert.Equal(Philox.Mix(1, "ab"), Philox.Mix(1, "ab"));
    }
}
