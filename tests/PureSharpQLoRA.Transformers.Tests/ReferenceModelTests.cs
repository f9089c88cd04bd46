using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>The small real model against what PyTorch and bitsandbytes computed with it.</summary>
public sealed class ReferenceModelTests
{
    private const double Tolerance = 2e-4;

    [Fact]
    public void Logits_match()
    {
        string folder = Reference("models", "stories260K");
        using var backend = new CpuBackend();
        using CausalLanguageModel model = TestModels.Load("stories260K", folder, backend);
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(folder, "golden_logits.safetensors"));
        AssertClose(Floats(golden, "logits"), TestModels.Logits(model, Rows(golden, "input_ids")), Tolerance);
        AssertClose(Floats(golden, "logits_f64"), TestModels.Logits(model, Rows(golden, "input_ids")), Tolerance);
    }

    [Theory]
    [InlineData("greedy_from_bos", 1)]
    [InlineData("greedy_from_prompt", 10)]
    public void Greedy_decoding_with_a_cache_gives_the_same_tokens(string name, int given)
    {
        string folder = Reference("models", "stories260K");
        using var backend = new CpuBackend();
        using CausalLanguageModel model = TestModels.Load("stories260K", folder, backend);
        int[] expected = Ints(Golden(folder).GetProperty(name).GetProperty("ids"));
        using var cache = new KeyValueCache(backend, model.Sizes.Layers, expected.Length, model.Sizes.KeyValueHeads * model.Sizes.HeadSize);
        var layout = new SequenceLayout();
        List<int> ids = [.. expected[..given]];
        int[] next = expected[..given];
        while (ids.Count < expected.Length)
        {
            layout.Continue(cache, next.Length);
            float[] logits = TestModels.Logits(model, layout, next)[^model.Sizes.VocabularySize..];
            cache.Advance(next.Length);
            next = [Array.IndexOf(logits, logits.Max())];
            ids.Add(next[0]);
        }

        Assert.Equal(expected, ids);
    }

    [Fact]
    public void The_loss_of_a_story_matches()
    {
        string folder = Reference("models", "stories260K");
        using var backend = new CpuBackend();
        using CausalLanguageModel model = TestModels.Load("stories260K", folder, backend);
        JsonElement golden = Golden(folder);
        int[] ids = Ints(golden.GetProperty("story_ids"));
        using var tape = new Tape(backend);
        Tensor input = tape.NewTensor(new Shape(ids.Length), DataType.Int32);
        backend.Upload(ids, input);
        Tensor hidden = model.Forward(tape, input, SequenceLayout.Uniform(1, ids.Length));
        double loss = LossTotal.Of(backend, total => model.Head.Loss(tape, hidden, [.. ids[1..], -100], 0, total));
        Assert.Equal(golden.GetProperty("story_loss").GetDouble(), loss / (ids.Length - 1), 1e-5);
    }

    [Fact]
    public void Logits_of_the_quantised_model_with_a_fresh_adapter_match()
    {
        string run = Reference("reference", "runs", "qlora");
        using var backend = new CpuBackend();
        using CausalLanguageModel model = TestModels.Load("stories260K", Reference("models", "stories260K"), backend, new LoadOptions());
        model.Adapters.Load("default", Path.Combine(run, "peft_init"));
        using SafetensorsFile golden = SafetensorsFile.Open(Path.Combine(run, "step0_logits.safetensors"));
        AssertClose(Floats(golden, "logits"), TestModels.Logits(model, Rows(golden, "input_ids")), Tolerance);
    }

    [Theory]
    [InlineData("stories260K-bnb-4bit", false)]
    [InlineData("stories260K-bnb-4bit-dq", true)]
    public void A_4_bit_checkpoint_gives_the_logits_of_quantising_on_load(string name, bool doubleQuantization)
    {
        string folder = Reference("models", name), original = Reference("models", "stories260K");
        int[] ids = Ints(Golden(original).GetProperty("story_ids"));
        float[] stored = LogitsOf(folder, new LoadOptions { LoadIn4Bit = false });
        float[] onLoad = LogitsOf(original, new LoadOptions { DoubleQuantization = doubleQuantization });
        float[] dense = LogitsOf(original, TestModels.Dense);
        Assert.True(Largest(onLoad, dense) > 0.01, "quantisation left no trace");
        if (doubleQuantization)
        {
            // Statistics that were quantised twice may differ in their last bits.
            AssertClose([.. onLoad.Select(value => (double)value)], stored, 1e-6);
        }
        else
        {
            Assert.Equal(onLoad, stored);
        }

        float[] LogitsOf(string from, LoadOptions options)
        {
            using var backend = new CpuBackend();
            using CausalLanguageModel model = TestModels.Load("stories260K", from, backend, options);
            return TestModels.Logits(model, ids);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_4_bit_folder_that_we_write_gives_the_very_logits_of_quantising_on_load(bool doubleQuantization)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string original = RandomModel.Write(folder, TestModels.ConfigPath("small-qwen3")), quantised = folder.File("quantised");
        ModelQuantizer.Quantize(original, quantised, new ModelQuantizerOptions { UseDoubleQuant = doubleQuantization }, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(LogitsOf(original, new LoadOptions { DoubleQuantization = doubleQuantization }), LogitsOf(quantised, new LoadOptions()));

        static float[] LogitsOf(string from, LoadOptions options)
        {
            using var backend = new CpuBackend();
            using CausalLanguageModel model = TestModels.Load("small-qwen3", from, backend, options);
            return TestModels.Logits(model, TestModels.Ids(20, model.Sizes.VocabularySize, seed: 8));
        }
    }

    private static string Reference(params string[] parts)
    {
        if (TestFiles.InReference(parts) is { } path)
        {
            return path;
        }

        Assert.Skip($"{string.Join('/', parts)} is not beside the repository.");
        throw new InvalidOperationException();
    }

    private static JsonElement Golden(string folder)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "golden_generation.json")));
        return document.RootElement.Clone();
    }

    private static int[] Ints(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];

    /// <summary>Rows of an I64 tensor.</summary>
    private static int[][] Rows(SafetensorsFile file, string name)
    {
        SafetensorsEntry entry = file.Find(name);
        var bytes = new byte[entry.Bytes];
        file.ReadBytes(entry, 0, bytes);
        return [.. Enumerable.Range(0, (int)entry.Count).Select(i => (int)BitConverter.ToInt64(bytes, 8 * i)).Chunk((int)entry.Shape[1])];
    }

    private static double[] Floats(SafetensorsFile file, string name)
    {
        SafetensorsEntry entry = file.Find(name);
        var values = new float[entry.Count];
        file.ReadFloats(entry, 0, values);
        return [.. values.Select(value => (double)value)];
    }

    private static double Largest(float[] a, float[] b) => a.Zip(b, (left, right) => Math.Abs((double)left - right)).Max();

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        double worst = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(worst <= tolerance, FormattableString.Invariant($"largest difference {worst:E2}, bound {tolerance:E1}"));
    }
}
