namespace PureSharpQLoRA.Core.Tests.Attention;

/// <summary>What holds beside the right values: the same bits on any number of threads, documents apart, and no garbage.</summary>
public sealed class AttentionGuaranteeTests
{
    [Theory]
    [InlineData(9, 3, 64, new[] { 256 }, 0)]
    [InlineData(2, 1, 16, new[] { 700, 33, 5 }, 0)]
    [InlineData(4, 2, 48, new[] { 300, 300 }, 40)]
    public void ResultsDoNotDependOnThreads(int heads, int keyHeads, int size, int[] lengths, int window)
    {
        var shape = new AttentionShape(heads, keyHeads, size, 1 / MathF.Sqrt(size), window);
        using var one = new AttentionCase(shape, lengths, threads: 1);
        one.Forward();
        one.Backward();
        foreach (int threads in new[] { 2, 3 })
        {
            using var other = new AttentionCase(shape, lengths, threads: threads);
            for (int repeat = 0; repeat < 3; repeat++)
            {
                other.Forward();
                other.Backward();
                foreach (string name in new[] { "output", "logSumExp", "dQuery", "dKey", "dValue" })
                {
                    Assert.True(one.Values(name).SequenceEqual(other.Values(name)), $"{name}, {threads} threads");
                }
            }
        }
    }

    [Fact]
    public void PackedDocumentsDoNotSeeEachOther()
    {
        var shape = new AttentionShape(4, 2, 48, 1 / MathF.Sqrt(48));
        int[] lengths = [45, 70, 33];
        using var before = new AttentionCase(shape, lengths);
        before.Forward();
        before.Backward();
        using var after = new AttentionCase(shape, lengths);
        foreach (string name in new[] { "query", "key", "value", "dOutput" })
        {
            // Even values that are not numbers stay in their document.
            Rows(after, name, 45, 70).Fill(float.NaN);
        }

        after.Forward();
        after.Backward();
        foreach (string name in new[] { "output", "dQuery", "dKey", "dValue" })
        {
            Assert.True(Rows(before, name, 0, 45).SequenceEqual(Rows(after, name, 0, 45)), name);
            Assert.True(Rows(before, name, 115, 33).SequenceEqual(Rows(after, name, 115, 33)), name);
            Assert.True(float.IsNaN(Rows(after, name, 45, 70)[0]), name);
        }
    }

    [Fact]
    public void NothingIsAllocatedOnceWarm()
    {
        using var training = new AttentionCase(new AttentionShape(6, 2, 64, 0.125f), [300, 20, 300], threads: 1);
        using var generation = new AttentionCase(new AttentionShape(6, 2, 64, 0.125f), [1], past: 50, threads: 1);
        Run(training, generation);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Run(training, generation);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        static void Run(AttentionCase training, AttentionCase generation)
        {
            for (int i = 0; i < 3; i++)
            {
                training.Forward();
                training.Backward();
                generation.Forward();
            }
        }
    }

    private static Span<float> Rows(AttentionCase test, string name, int first, int count)
    {
        int width = name is "key" or "value" or "dKey" or "dValue" ? test.Shape.KeyWidth : test.Shape.QueryWidth;
        return test.Values(name).Slice(first * width, count * width);
    }
}
