using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>Every family the generator knows against a plain computation in double, and against itself in other arrangements.</summary>
public sealed class ForwardTests
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string> Names => new(TestModels.Names);

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_match_a_plain_computation_in_double(string name)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        ModelConfig config = ModelConfig.Read(TestModels.ConfigPath(name));
        using CausalLanguageModel model = TestModels.Load(name, RandomModel.Write(folder, TestModels.ConfigPath(name), seed: 5), backend);
        int[] ids = TestModels.Ids(29, config.Vocabulary, seed: 9);

        double[][] expected = new PlainModel(config, RandomModel.Weights(config, seed: 5)).Logits(ids);

        AssertClose([.. expected.SelectMany(row => row)], TestModels.Logits(model, ids));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_plain_computation_without_one_of_the_parts_differs(string name)
    {
        // The comparison above means something only if every weight shows in the logits.
        ModelConfig config = ModelConfig.Read(TestModels.ConfigPath(name));
        Dictionary<string, float[]> weights = RandomModel.Weights(config, seed: 5);
        int[] ids = TestModels.Ids(29, config.Vocabulary, seed: 9);
        double[] whole = [.. new PlainModel(config, weights).Logits(ids).SelectMany(row => row)];
        foreach ((string tensor, float[] values) in weights)
        {
            // Not all of it by one factor, which the norms of queries and keys would take out again.
            Dictionary<string, float[]> changed = new(weights) { [tensor] = [.. values.Select((value, i) => (i % 2 == 0 ? 1.1f : 1) * value)] };
            double[] logits = [.. new PlainModel(config, changed).Logits(ids).SelectMany(row => row)];
            Assert.True(whole.Zip(logits, (a, b) => Math.Abs(a - b)).Max() > 100 * Tolerance, $"{tensor} does not show in the logits");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decoding_token_by_token_with_a_cache_gives_the_logits_of_one_pass(string name)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using CausalLanguageModel model = TestModels.Load(name, RandomModel.Write(folder, TestModels.ConfigPath(name)), backend);
        ModelDescription sizes = model.Sizes;

        // Within the original length, since dynamic scaling turns cached keys by the frequencies of their own time.
        int[] ids = TestModels.Ids(16, sizes.VocabularySize, seed: 2);
        double[] whole = [.. TestModels.Logits(model, ids).Select(value => (double)value)];

        using var cache = new KeyValueCache(backend, sizes.Layers, ids.Length, sizes.KeyValueHeads * sizes.HeadSize);
        var layout = new SequenceLayout();
        var stepwise = new List<float>();
        foreach (int[] piece in (int[][])[ids[..5], .. ids[5..].Select(id => new[] { id })])
        {
            layout.Continue(cache, piece.Length);
            stepwise.AddRange(TestModels.Logits(model, layout, piece));
            cache.Advance(piece.Length);
        }

        AssertClose(whole, [.. stepwise]);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Logits_of_a_document_do_not_depend_on_its_neighbours(string name)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using CausalLanguageModel model = TestModels.Load(name, RandomModel.Write(folder, TestModels.ConfigPath(name)), backend);
        int vocabulary = model.Sizes.VocabularySize;
        int[] document = TestModels.Ids(13, vocabulary, seed: 3);
        int[] before = TestModels.Ids(9, vocabulary, seed: 4), after = TestModels.Ids(6, vocabulary, seed: 5);
        int[] otherBefore = TestModels.Ids(9, vocabulary, seed: 6), otherAfter = TestModels.Ids(6, vocabulary, seed: 7);
        Range rows = (9 * vocabulary)..(22 * vocabulary);

        float[] packed = TestModels.Logits(model, before, document, after)[rows];

        Assert.Equal(packed, TestModels.Logits(model, otherBefore, document, otherAfter)[rows]);
        AssertClose([.. packed.Select(value => (double)value)], TestModels.Logits(model, document));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void One_and_two_threads_give_the_same_bits(string name)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string weights = RandomModel.Write(folder, TestModels.ConfigPath(name));
        Assert.Equal(LogitsOn(1), LogitsOn(2));

        float[] LogitsOn(int threads)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = threads });
            using CausalLanguageModel model = TestModels.Load(name, weights, backend, new LoadOptions());
            return TestModels.Logits(model, TestModels.Ids(29, model.Sizes.VocabularySize, seed: 9));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_model_returns_all_its_memory(string name)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        var backend = new CpuBackend();
        using (CausalLanguageModel model = TestModels.Load(name, RandomModel.Write(folder, TestModels.ConfigPath(name)), backend, new LoadOptions()))
        {
            model.Adapters.Add("default", new LoraOptions { Rank = 3 }, seed: 1);
            TestModels.Logits(model, TestModels.Ids(12, model.Sizes.VocabularySize, seed: 9));
        }

        LeakCheck.DisposeAndAssert(backend);
    }

    private static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double worst = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(worst <= Tolerance, FormattableString.Invariant($"largest difference {worst:E2} of logits up to {expected.Max(Math.Abs):F1}"));
    }
}
