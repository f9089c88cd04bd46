using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

public sealed class RandomModelWriterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static readonly InitialWeight[] Weights =
    [
        new("a.weight", InitialValues.Normal, 300, 200),
        new("a.bias", InitialValues.Zeros, 300),
        new("norm.weight", InitialValues.Ones, 200),
        new("b.weight", InitialValues.Normal, 50, 300),
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(4099)]
    public void Numbers_are_those_of_the_scalar_generator(int length)
    {
        const ulong Seed = 0xABCDEF0123456789, First = (1UL << 32) - 2000;
        var values = new float[length];

        NormalNumbers.Fill(Seed, First, 0.5f, values);

        for (int i = 0; i < length; i++)
        {
            float expected = 0.5f * Philox.Normal(Seed, First + (ulong)i);
            Assert.True(Math.Abs(values[i] - expected) <= 1e-6f, $"{i}: {values[i]} is not {expected}");
        }
    }

    [Fact]
    public void Numbers_are_normally_distributed()
    {
        var values = new float[1_000_000];

        NormalNumbers.Fill(3, 0, 2, values);

        double mean = values.Average(value => (double)value), variance = values.Average(value => value * (double)value);
        double kurtosis = values.Average(value => Math.Pow(value, 4)) / (variance * variance);
        Assert.InRange(mean, -0.01, 0.01);
        Assert.InRange(variance, 3.97, 4.03);
        Assert.InRange(kurtosis, 2.96, 3.04);
    }

    [Fact]
    public void Weights_follow_from_seed_name_and_index_alone()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        RandomModelWriter.Write(folder.File("one"), Weights, new RandomModelOptions { Type = SafetensorsType.Float32, Threads = 1 }, cancellation: Token);
        RandomModelWriter.Write(folder.File("two"), [.. Weights.Reverse()], new RandomModelOptions { Type = SafetensorsType.Float32, Threads = 3 }, cancellation: Token);
        RandomModelWriter.Write(folder.File("other"), Weights, new RandomModelOptions { Type = SafetensorsType.Float32, Seed = 43 }, cancellation: Token);

        Assert.Equal(Read(folder.File("one"), "a.weight"), Read(folder.File("two"), "a.weight"));
        Assert.NotEqual(Read(folder.File("one"), "a.weight"), Read(folder.File("other"), "a.weight"));
        Assert.All(Read(folder.File("one"), "a.bias"), value => Assert.Equal(0, value));
        Assert.All(Read(folder.File("one"), "norm.weight"), value => Assert.Equal(1, value));
        Assert.Equal(0.02, Math.Sqrt(Read(folder.File("one"), "a.weight").Average(value => value * (double)value)), 3);
    }

    [Fact]
    public void A_large_model_is_dealt_out_to_shards()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        RandomModelWriter.Write(folder.File("single"), Weights, cancellation: Token);
        RandomModelWriter.Write(folder.File("shards"), Weights, new RandomModelOptions { MaxShardBytes = 50_000 }, cancellation: Token);

        Assert.Equal(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"],
            Directory.EnumerateFiles(folder.File("shards")).Select(Path.GetFileName).Order());
        Assert.All(Weights, weight => Assert.Equal(Read(folder.File("single"), weight.Name), Read(folder.File("shards"), weight.Name)));
    }

    [Fact]
    public void Nothing_remains_of_a_cancelled_model()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var source = new CancellationTokenSource();
        source.Cancel();

        Assert.ThrowsAny<OperationCanceledException>(() => RandomModelWriter.Write(folder.File("model"), Weights, cancellation: source.Token));
        Assert.Empty(Directory.EnumerateFiles(folder.File("model")));
    }

    private static float[] Read(string folder, string name)
    {
        using CheckpointReader reader = CheckpointReader.Open(folder);
        var values = new float[reader.Find(name).Entry.Count];
        reader.ReadFloats(name, 0, values);
        return values;
    }
}
