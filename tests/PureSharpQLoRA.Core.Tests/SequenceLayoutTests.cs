using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests;

public sealed class SequenceLayoutTests
{
    [Fact]
    public void Positions_begin_again_in_every_document()
    {
        var layout = new SequenceLayout();
        layout.Set([0, 3, 3, 7]);
        Assert.Equal([0, 1, 2, 0, 1, 2, 3], layout.Positions.ToArray());
        Assert.Equal([0, 3, 3, 7], layout.Starts.ToArray());
        Assert.Equal((3, 7, 4), (layout.Documents, layout.Tokens, layout.LongestDocument));

        // A shorter batch afterwards shows nothing of the longer one.
        layout.Set([0, 2]);
        Assert.Equal([0, 1], layout.Positions.ToArray());
        Assert.Equal([0, 2], layout.Starts.ToArray());
        Assert.Equal((1, 2, 2), (layout.Documents, layout.Tokens, layout.LongestDocument));
    }

    [Fact]
    public void Uniform_documents()
    {
        SequenceLayout layout = SequenceLayout.Uniform(3, 2);
        Assert.Equal([0, 2, 4, 6], layout.Starts.ToArray());
        Assert.Equal([0, 1, 0, 1, 0, 1], layout.Positions.ToArray());
    }

    [Theory]
    [InlineData()]
    [InlineData(0)]
    [InlineData(1, 3)]
    [InlineData(0, 3, 2)]
    public void Boundaries_of_another_form_are_refused(params int[] starts) =>
        Assert.Throws<ArgumentException>(() => new SequenceLayout().Set(starts));

    [Fact]
    public void A_cache_continues_the_positions()
    {
        var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using (var cache = new KeyValueCache(backend, layers: 2, capacity: 8, width: 4))
        {
            Assert.Equal((8, 0), (cache.Capacity, cache.Length));
            Assert.Equal(new Shape(8, 4), cache.Keys(1).Shape);
            Assert.NotEqual(cache.Keys(1).Address, cache.Values(1).Address);
            var layout = new SequenceLayout();
            cache.Advance(5);
            layout.Continue(cache, 3);
            Assert.Equal([5, 6, 7], layout.Positions.ToArray());
            Assert.Equal((1, 3, 8), (layout.Documents, layout.Tokens, layout.LongestDocument));
            Assert.Same(cache, layout.Cache);
            ArgumentException error = Assert.Throws<ArgumentException>(() => layout.Continue(cache, 4));
            Assert.StartsWith("The cache holds 8 tokens; 5 are there and 4 more do not fit.", error.Message, StringComparison.Ordinal);
            cache.Truncate(6);
            Assert.Equal(5, cache.Length);
            cache.Truncate(2);
            Assert.Equal(2, cache.Length);
            layout.Set([0, 1]);
            Assert.Null(layout.Cache);
        }

        LeakCheck.DisposeAndAssert(backend);
    }

    /// <summary>A prompt of several tokens and then one at a time gives what the whole document at once gives.</summary>
    [Fact]
    public void Attention_over_a_cache_is_that_of_the_whole_document()
    {
        const int Tokens = 9;
        var shape = new AttentionShape(4, 2, 16, 0.25f);
        var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using (var inputs = new TensorScope(backend.Memory, MemoryPurpose.Workspace))
        using (var tape = new Tape(backend))
        using (var cache = new KeyValueCache(backend, 1, Tokens, shape.KeyWidth))
        {
            Tensor query = Random(shape.QueryWidth, 1), key = Random(shape.KeyWidth, 2), value = Random(shape.KeyWidth, 3);
            double[] whole = Read(tape.Attention(query, key, value, SequenceLayout.Uniform(1, Tokens), shape, 0));
            var layout = new SequenceLayout();
            foreach ((int first, int count) in new[] { (0, 5), (5, 1), (6, 2), (8, 1) })
            {
                layout.Continue(cache, count);
                Tensor y = tape.Attention(inputs.Rows(query, first, count), inputs.Rows(key, first, count), inputs.Rows(value, first, count), layout, shape, 0);
                cache.Advance(count);
                double[] exact = whole[(first * shape.QueryWidth)..((first + count) * shape.QueryWidth)];
                Accuracy.AssertClose(exact, Read(y), 1e-6, $"tokens from {first} on");
            }

            Tensor Random(int width, ulong seed)
            {
                Tensor tensor = inputs.Allocate(new Shape(Tokens, width));
                backend.Fill(tensor, 0);
                backend.AddUniformNoise(tensor, 1, seed);
                return tensor;
            }

            double[] Read(Tensor tensor) => [.. backend.ToArray(tensor).Select(element => (double)element)];
        }

        LeakCheck.DisposeAndAssert(backend);
    }
}
