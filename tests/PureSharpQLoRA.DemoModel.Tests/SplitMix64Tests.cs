using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel.Tests;

public class SplitMix64Tests
{
    /// <summary>The first outputs for seed 1234567, as published with the generator's public-domain reference implementation.</summary>
    [Fact]
    public void Numbers_are_those_of_the_reference()
    {
        SplitMix64 random = new(1234567);
        ulong[] numbers = [random.Next(), random.Next(), random.Next()];
        Assert.Equal([6457827717110365317UL, 3203168211198807973UL, 9817491932198370423UL], numbers);
    }

    [Fact]
    public void Below_reaches_every_number_about_equally_often()
    {
        SplitMix64 random = new(1);
        int[] counts = new int[7];
        for (int i = 0; i < 70_000; i++)
        {
            counts[random.Below(7)]++;
        }

        Assert.All(counts, count => Assert.InRange(count, 9_600, 10_400));
    }

    [Fact]
    public void Below_refuses_an_empty_range() => Assert.Throws<ArgumentOutOfRangeException>(() => new SplitMix64(0).Below(0));
}
