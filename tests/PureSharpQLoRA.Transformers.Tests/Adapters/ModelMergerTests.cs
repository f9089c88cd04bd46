using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Adapters;

public sealed class ModelMergerTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private const int Rows = 40, Columns = 70, Rank = 3;
    private const string Layer = "model.layers.0.mlp.up_proj";

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Merged_weights_are_the_formula(bool rsLora, bool dora)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        WriteModel(folder);
        (float[] a, float[] b, float[] magnitude) = WriteAdapter(folder, rsLora, dora);

        MergeReport report = ModelMerger.Merge(folder.File("base"), folder.File("adapter"), folder.File("merged"), cancellation: Token);

        float[] before = Read(folder.File("base"), Layer + ".weight"), after = Read(folder.File("merged"), Layer + ".weight");
        double scale = 8 / (rsLora ? Math.Sqrt(Rank) : Rank), largest = 0, sum = 0;
        for (int row = 0; row < Rows; row++)
        {
            double[] expected = [.. Enumerable.Range(0, Columns).Select(column =>
                before[(row * Columns) + column] + (scale * Enumerable.Range(0, Rank).Sum(k => (double)b[(row * Rank) + k] * a[(k * Columns) + column])))];
            double factor = dora ? magnitude[row] / Math.Sqrt(expected.Sum(value => value * value)) : 1;
            for (int column = 0; column < Columns; column++)
            {
                Assert.Equal(factor * expected[column], after[(row * Columns) + column], 5e-6);
                double change = Math.Abs((factor * expected[column]) - before[(row * Columns) + column]);
                largest = Math.Max(largest, change);
                sum += change;
            }
        }

        Assert.Equal(1, report.Layers);
        Assert.Equal(largest, report.MaxChange, 1e-5);
        Assert.Equal(sum / (Rows * Columns), report.MeanChange, 1e-6);
        Assert.Equal(Read(folder.File("base"), "model.norm.weight"), Read(folder.File("merged"), "model.norm.weight"));
        Assert.Contains("\"torch_dtype\": \"float32\"", File.ReadAllText(folder.File("merged", "config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void Weights_in_4_bits_are_decoded_first()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        WriteModel(folder);
        WriteAdapter(folder, rsLora: false, dora: false);
        ModelQuantizer.Quantize(folder.File("base"), folder.File("4bit"), cancellation: Token);

        ModelMerger.Merge(folder.File("4bit"), folder.File("adapter"), folder.File("merged"), new MergeOptions { Type = SafetensorsType.Float32 }, cancellation: Token);

        float[] original = Read(folder.File("base"), Layer + ".weight"), after = Read(folder.File("merged"), Layer + ".weight");
        ModelMerger.Merge(folder.File("base"), folder.File("adapter"), folder.File("exact"), cancellation: Token);
        float[] exact = Read(folder.File("exact"), Layer + ".weight");
        Assert.NotEqual(exact, after);

        // NF4 is off by a sixth of a block's largest value at most.
        Assert.Equal(0, exact.Zip(after, (left, right) => Math.Abs(left - right)).Max(), original.Max(Math.Abs) / 5);
        Assert.DoesNotContain("quantization_config", File.ReadAllText(folder.File("merged", "config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_for_another_model_is_refused_and_nothing_is_written()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        RandomModelWriter.Write(folder.File("base"), [new("model.layers.0.mlp.gate_proj.weight", InitialValues.Normal, Rows, Columns)], cancellation: Token);
        File.WriteAllText(folder.File("base", "config.json"), "{}");
        WriteAdapter(folder, rsLora: false, dora: false);

        WeightFormatException error = Assert.Throws<WeightFormatException>(() => ModelMerger.Merge(folder.File("base"), folder.File("adapter"), folder.File("merged"), cancellation: Token));

        Assert.Contains("the adapter is for another model", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("merged")));
    }

    private static void WriteModel(TemporaryFolder folder)
    {
        RandomModelWriter.Write(
            folder.File("base"),
            [new(Layer + ".weight", InitialValues.Normal, Rows, Columns), new("model.norm.weight", InitialValues.Ones, Columns)],
            new RandomModelOptions { Type = SafetensorsType.Float32 }, cancellation: Token);
        File.WriteAllText(folder.File("base", "config.json"), """{"model_type": "llama", "torch_dtype": "bfloat16"}""");
    }

    private static (float[] A, float[] B, float[] Magnitude) WriteAdapter(TemporaryFolder folder, bool rsLora, bool dora)
    {
        float[] a = new float[Rank * Columns], b = new float[Rows * Rank], magnitude = new float[Rows];
        NormalNumbers.Fill(1, 0, 0.1f, a);
        NormalNumbers.Fill(2, 0, 0.1f, b);
        magnitude.AsSpan().Fill(0.3f);
        var config = new AdapterConfig { R = Rank, LoraAlpha = 8, UseRslora = rsLora, UseDora = dora, TargetModules = ["up_proj"] };
        using var writer = new PeftAdapterWriter(folder.File("adapter"), config, [new PeftModuleDeclaration(Layer, Columns, Rows)]);
        writer.WriteA(Layer, a);
        writer.WriteB(Layer, b);
        if (dora)
        {
            writer.WriteMagnitude(Layer, magnitude);
        }

        writer.Complete();
        return (a, b, magnitude);
    }

    private static float[] Read(string folder, string name)
    {
        using CheckpointReader reader = CheckpointReader.Open(folder);
        var values = new float[reader.Find(name).Entry.Count];
        reader.ReadFloats(name, 0, values);
        return values;
    }
}
