namespace PureSharpQLoRA.Text.Tests;

public class DataOrderTests
{
    [Fact]
    public void The_generator_is_the_published_one()
    {
        // xoshiro256** from the state that SplitMix64 makes of 0 after one step, computed with a separate program.
        var random = new Xoshiro256(0, 0);
        Assert.Equal<ulong>([0xFB5405F7BD79C540UL, 0x780C98E26CEA5883UL, 0x2A146E0980FEBC66UL], [random.Next(), random.Next(), random.Next()]);
    }

    [Fact]
    public void Every_epoch_is_a_permutation_of_its_own()
    {
        var order = new DataOrder(1000, seed: 42, shuffle: true);
        int[] first = [.. order.Epoch(0)], second = [.. order.Epoch(1)];
        Assert.Equal(Enumerable.Range(0, 1000), first.Order());
        Assert.Equal(Enumerable.Range(0, 1000), second.Order());
        Assert.NotEqual(first, second);
        Assert.Equal(first, order.Epoch(0).ToArray());
        Assert.Equal(second, new DataOrder(1000, 42, true).Epoch(1).ToArray());
        Assert.NotEqual(first, new DataOrder(1000, 43, true).Epoch(0).ToArray());
    }

    [Fact]
    public void The_order_of_a_seed_never_changes()
    {
        Assert.Equal([2, 5, 0, 9, 4, 7, 8, 6, 3, 1], new DataOrder(10, seed: 42, shuffle: true).Epoch(0).ToArray());
    }

    [Fact]
    public void Without_shuffling_the_order_is_that_of_the_files() => Assert.Equal([0, 1, 2, 3], new DataOrder(4, 42, false).Epoch(7).ToArray());

    [Fact]
    public void No_place_is_favoured()
    {
        int[,] counts = new int[5, 5];
        var order = new DataOrder(5, seed: 7, shuffle: true);
        for (int epoch = 0; epoch < 20_000; epoch++)
        {
            ReadOnlySpan<int> rows = order.Epoch(epoch);
            for (int place = 0; place < 5; place++)
            {
                counts[place, rows[place]]++;
            }
        }

        // 4000 expected, standard deviation 57.
        foreach (int count in counts)
        {
            Assert.InRange(count, 3700, 4300);
        }
    }
}
