using PureSharpQLoRA.Transformers.Generation;

namespace PureSharpQLoRA.Transformers.Tests.Generation;

public sealed class SamplerTests
{
    private static readonly float[] Logits = [1f, 3f, 2f, -1f];

    [Fact]
    public void Temperature_0_takes_the_most_likely_token() =>
        Assert.Equal(1, new Sampler(new GenerationOptions(), 4).Next([.. Logits]));

    [Fact]
    public void A_repetition_penalty_divides_positive_and_multiplies_negative_logits()
    {
        var sampler = new Sampler(new GenerationOptions { RepetitionPenalty = 2 }, 4);
        sampler.Observe([1, 3]);
        float[] logits = [.. Logits];

        Assert.Equal(2, sampler.Next(logits));
        Assert.Equal([1f, 1.5f, 2f, -2f], logits);
        Assert.Equal(1, sampler.Next([.. Logits]));
    }

    [Fact]
    public void Draws_follow_the_softmax()
    {
        double[] expected = [.. Logits.Select(logit => Math.Exp(logit / 1.5))];
        double total = expected.Sum();
        int[] counts = Count(new GenerationOptions { Temperature = 1.5 }, 40_000);

        for (int i = 0; i < 4; i++)
        {
            double probability = expected[i] / total;

            // Five standard deviations of a binomial count.
            Assert.InRange(counts[i] / 40_000.0, probability - (5 * Math.Sqrt(probability / 40_000)), probability + (5 * Math.Sqrt(probability / 40_000)));
        }
    }

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(2, new[] { 1, 2 })]
    [InlineData(3, new[] { 0, 1, 2 })]
    public void Top_k_draws_from_the_k_most_likely(int k, int[] drawn) =>
        Assert.Equal(drawn, Drawn(new GenerationOptions { Temperature = 3, TopK = k }));

    // Probabilities are 0.09, 0.66, 0.24 and 0.01.
    [Theory]
    [InlineData(0.5, new[] { 1 })]
    [InlineData(0.7, new[] { 1, 2 })]
    [InlineData(0.95, new[] { 0, 1, 2 })]
    [InlineData(1.0, new[] { 0, 1, 2, 3 })]
    public void Top_p_draws_from_the_fewest_tokens_that_reach_p(double p, int[] drawn) =>
        Assert.Equal(drawn, Drawn(new GenerationOptions { Temperature = 1, TopP = p }));

    [Fact]
    public void Top_k_of_a_large_vocabulary_keeps_the_largest()
    {
        var random = new Random(7);
        float[] logits = [.. Enumerable.Range(0, 5000).Select(_ => (float)random.NextDouble())];
        int[] best = [.. Enumerable.Range(0, 5000).OrderByDescending(id => logits[id]).Take(20)];
        var sampler = new Sampler(new GenerationOptions { Temperature = 1, TopK = 20 }, 5000);

        Assert.All(Enumerable.Range(0, 300).Select(_ => sampler.Next([.. logits])), id => Assert.Contains(id, best));
    }

    [Fact]
    public void The_same_seed_draws_the_same()
    {
        int[] Sequence(ulong seed)
        {
            var sampler = new Sampler(new GenerationOptions { Temperature = 2, Seed = seed }, 4);
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Next([.. Logits]))];
        }

        Assert.Equal(Sequence(1), Sequence(1));
        Assert.NotEqual(Sequence(1), Sequence(2));
    }

    [Theory]
    [InlineData("top_p must be above 0 and at most 1, not 0.")]
    public void Values_without_sense_are_named(string message) =>
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => new Sampler(new GenerationOptions { TopP = 0 }, 4)).Message);

    private static int[] Count(GenerationOptions options, int draws)
    {
        var counts = new int[4];
        var sampler = new Sampler(options, 4);
        for (int i = 0; i < draws; i++)
        {
            counts[sampler.Next([.. Logits])]++;
        }

        return counts;
    }

    private static int[] Drawn(GenerationOptions options) => [.. Count(options, 4000).Select((count, id) => (count, id)).Where(pair => pair.count > 0).Select(pair => pair.id)];
}
