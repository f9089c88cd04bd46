using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training.Tests.Models;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;
using PureSharpQLoRA.Transformers.Tests;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Adapters are trained, saved, loaded, switched and removed.</summary>
public sealed class AdapterTests
{
    private static readonly IReadOnlyList<Example> HeldOut = TinyRun.Examples(9, seed: 7).Examples;

    [Theory]
    [InlineData(false, false, 0.1f)]
    [InlineData(true, false, 0f)]
    [InlineData(false, true, 0f)]
    [InlineData(true, true, 0f)]
    public void A_saved_adapter_gives_the_same_loss_when_loaded(bool rsLora, bool dora, float dropout)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        var lora = new LoraOptions { Rank = 3, Alpha = 7, UseRsLora = rsLora, UseDora = dora, Dropout = dropout, TargetModules = ["q_proj", "down_proj"] };
        double before, after;
        using (var run = new TinyRun(new TinySettings { ModelFolder = model, Lora = lora, Options = TinyRun.Options(folder, 10) with { LearningRate = 0.03 } }))
        {
            before = run.Evaluate(HeldOut);
            run.Run();
            run.Trainer.SaveResult();
            after = run.Evaluate(HeldOut);
        }

        Assert.True(after < before - 0.05, $"{after} after {before}");
        using var backend = new CpuBackend();
        using Tiny again = ModelLoader.Load(model, backend, null, scope => new Tiny(scope));
        Adapter adapter = again.Adapters.Load("again", folder.File("out"));
        Assert.Equal(after, Loss(again));
        Assert.Equal((3, 7.0, rsLora, dora, dropout), (adapter.Options.Rank, adapter.Options.Alpha, adapter.Options.UseRsLora, adapter.Options.UseDora, adapter.Options.Dropout));
        Assert.Equal(["down_proj", "q_proj"], adapter.Options.TargetModules.Order());
        Assert.Equal(4, adapter.Modules.Count);
    }

    [Fact]
    public void A_fresh_adapter_changes_nothing()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using Tiny model = ModelLoader.Load(TinyRun.NewModel(folder), backend, null, scope => new Tiny(scope));
        double plain = Loss(model);
        model.Adapters.Add("lora", new LoraOptions(), seed: 1);
        Assert.Equal(plain, Loss(model));
        model.Adapters.Add("dora", new LoraOptions { UseDora = true }, seed: 1);
        Assert.Equal(plain, Loss(model), 1e-6);
    }

    [Fact]
    public void Several_adapters_are_switched_and_removed_without_reloading_the_base()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = TinyRun.NewModel(folder);
        double[] trained = [Train("first", 1), Train("second", 2)];
        using var backend = new CpuBackend();
        using Tiny model = ModelLoader.Load(path, backend, null, scope => new Tiny(scope));
        double plain = Loss(model);
        long empty = backend.Memory.BytesFor(MemoryPurpose.Adapters);
        model.Adapters.Load("first", folder.File("first"));
        long one = backend.Memory.BytesFor(MemoryPurpose.Adapters);
        model.Adapters.Load("second", folder.File("second"));
        Assert.Equal(["first", "second"], model.Adapters.Names.Order());
        Assert.Equal(trained[1], Loss(model));
        model.Adapters.Activate("first");
        Assert.Equal(trained[0], Loss(model));
        model.Adapters.Activate(null);
        Assert.Equal(plain, Loss(model));
        model.Adapters.Activate("second");
        model.Adapters.Remove("first");
        Assert.Equal(trained[1], Loss(model));
        Assert.Equal(one, backend.Memory.BytesFor(MemoryPurpose.Adapters));
        model.Adapters.Remove("second");
        Assert.Null(model.Adapters.Active);
        Assert.Equal(plain, Loss(model));
        Assert.Equal(empty, backend.Memory.BytesFor(MemoryPurpose.Adapters));
        Assert.Equal(3, new[] { plain, trained[0], trained[1] }.Distinct().Count());

        double Train(string name, int dataSeed)
        {
            using var run = new TinyRun(new TinySettings
            {
                ModelFolder = path, Data = TinyRun.Examples(20, seed: dataSeed), Options = TinyRun.Options(folder, 4, name),
            });
            run.Run();
            run.Trainer.SaveResult();
            return run.Evaluate(HeldOut);
        }
    }

    [Fact]
    public void Unknown_and_taken_names_are_refused()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using Tiny model = ModelLoader.Load(TinyRun.NewModel(folder), backend, null, scope => new Tiny(scope));
        Assert.Equal("There is no adapter 'a'; loaded are: none.", Assert.Throws<ArgumentException>(() => model.Adapters.Activate("a")).Message);
        model.Adapters.Add("b", new LoraOptions(), seed: 1);
        Assert.Equal("There is no adapter 'a'; loaded are: b.", Assert.Throws<ArgumentException>(() => model.Adapters.Remove("a")).Message);
        Assert.Contains("'b' is loaded already", Assert.Throws<ArgumentException>(() => model.Adapters.Add("b", new LoraOptions(), seed: 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_target_that_names_no_layer_is_refused_with_the_names_there_are()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using Tiny model = ModelLoader.Load(TinyRun.NewModel(folder), backend, null, scope => new Tiny(scope));
        ArgumentException error = Assert.Throws<ArgumentException>(() => model.Adapters.Add("a", new LoraOptions { TargetModules = ["q_proj", "v_porj"] }, seed: 1));
        Assert.Contains("'v_porj' names no linear layer", error.Message, StringComparison.Ordinal);
        Assert.Contains("q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj", error.Message, StringComparison.Ordinal);
        Assert.Empty(model.Adapters.Names);
    }

    [Theory]
    [InlineData("q_proj", "model.layers.0.self_attn.q_proj maps 32 to 32 there, 64 to 64 here")]
    [InlineData("model.layers.1.mlp.down_proj", "model.layers.1.mlp.down_proj maps 56 to 32 there, 172 to 64 here")]
    public void An_adapter_for_another_model_is_refused_by_its_layer(string target, string message)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string large = RandomModel.Write(folder, ReferenceConfig, name: "large"), small = TinyRun.NewModel(folder);
        using var backend = new CpuBackend();
        using (Tiny model = ModelLoader.Load(small, backend, null, scope => new Tiny(scope)))
        {
            model.Adapters.Add("a", new LoraOptions { TargetModules = [target] }, seed: 1);
            model.Adapters.Save("a", folder.File("adapter"));
        }

        using Stories260K other = ModelLoader.Load(large, backend, null, scope => new Stories260K(scope));
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => other.Adapters.Load("a", folder.File("adapter")));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Empty(other.Adapters.Names);
    }

    [Fact]
    public void An_adapter_for_a_deeper_model_is_refused_by_its_layer()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string large = RandomModel.Write(folder, ReferenceConfig, name: "large"), small = TinyRun.NewModel(folder);
        using var backend = new CpuBackend();
        using (Stories260K model = ModelLoader.Load(large, backend, null, scope => new Stories260K(scope)))
        {
            model.Adapters.Add("a", new LoraOptions { TargetModules = ["layers.4.self_attn.q_proj"] }, seed: 1);
            model.Adapters.Save("a", folder.File("adapter"));
        }

        using Tiny other = ModelLoader.Load(small, backend, null, scope => new Tiny(scope));
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => other.Adapters.Load("a", folder.File("adapter")));
        Assert.Contains("no linear layer model.layers.4.self_attn.q_proj", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Patterns_of_rank_and_alpha_survive_loading_and_saving(bool rsLora)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = TinyRun.NewModel(folder);
        using var backend = new CpuBackend();
        using Tiny model = ModelLoader.Load(path, backend, null, scope => new Tiny(scope));
        var config = new AdapterConfig
        {
            R = 4,
            LoraAlpha = 8,
            TargetModules = ["q_proj", "k_proj", "up_proj"],
            UseRslora = rsLora,
            RankPattern = new Dictionary<string, int> { ["k_proj"] = 6, ["layers.1.mlp.up_proj"] = 2 },
            AlphaPattern = new Dictionary<string, double> { ["k_proj"] = 12, ["layers.0.mlp.up_proj"] = 3 },
        };
        Linear[] layers = [.. model.Linears.Where(layer => config.Targets(layer.Path))];
        using (var writer = new PeftAdapterWriter(
            folder.File("first"), config, layers.Select(layer => new PeftModuleDeclaration(layer.Path, layer.Inputs, layer.Outputs))))
        {
            foreach (Linear layer in layers)
            {
                writer.WriteA(layer.Path, Values(config.RankOf(layer.Path) * layer.Inputs, layer.Path + "A"));
                writer.WriteB(layer.Path, Values(layer.Outputs * config.RankOf(layer.Path), layer.Path + "B"));
            }

            writer.Complete();
        }

        model.Adapters.Load("first", folder.File("first"));
        double loss = Loss(model);
        model.Adapters.Save("first", folder.File("second"));
        AdapterConfig saved = AdapterConfig.Read(folder.File("second", AdapterConfig.FileName));
        foreach (Linear layer in layers)
        {
            Assert.Equal(config.RankOf(layer.Path), saved.RankOf(layer.Path));
            Assert.Equal(config.AlphaOf(layer.Path), saved.AlphaOf(layer.Path), 1e-5);
        }

        Assert.Equal(
            File.ReadAllBytes(folder.File("first", PeftAdapterFile.WeightsFileName)), File.ReadAllBytes(folder.File("second", PeftAdapterFile.WeightsFileName)));
        model.Adapters.Load("second", folder.File("second"));
        Assert.Equal(loss, Loss(model));
    }

    [Fact]
    public void A_DoRA_adapter_that_was_trained_with_dropout_can_be_used_but_not_trained()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = TinyRun.NewModel(folder);
        using (var run = new TinyRun(new TinySettings { ModelFolder = path, Lora = new LoraOptions { Rank = 2, UseDora = true }, Options = TinyRun.Options(folder, 2) }))
        {
            run.Run();
            run.Trainer.SaveResult();
        }

        using var backend = new CpuBackend();
        using Tiny model = ModelLoader.Load(path, backend, null, scope => new Tiny(scope));
        model.Adapters.Load("without", folder.File("out"));
        double expected = Loss(model);
        string config = folder.File("out", AdapterConfig.FileName);
        File.WriteAllText(config, (AdapterConfig.Read(config) with { LoraDropout = 0.05 }).ToJson());
        model.Adapters.Load("with", folder.File("out"));
        Assert.Equal(expected, Loss(model));
        using var trainer = new Trainer(model, TinyRun.Examples(4), TinyRun.Options(folder, 1));
        Assert.Contains("lora_dropout", Assert.Throws<NotSupportedException>(() => trainer.TrainStep()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("qlora")]
    [InlineData("qlora_qv_only_r4")]
    [InlineData("rslora")]
    [InlineData("dora")]
    public void A_saved_adapter_is_built_as_PEFT_builds_it(string name)
    {
        ReferenceRun run = ReferenceRun.Open(name);
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using CausalLanguageModel model = run.LoadModel(backend);
        model.Adapters.Save("default", folder.File("ours"));
        string theirs = Path.Combine(run.Folder, "peft_final");
        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(theirs, PeftAdapterFile.WeightsFileName));
        using SafetensorsFile actual = SafetensorsFile.Open(folder.File("ours", PeftAdapterFile.WeightsFileName));
        Assert.Equal(Facts(expected), Facts(actual));
        Assert.Equal(expected.Metadata, actual.Metadata);

        Dictionary<string, JsonElement> config = Config(theirs), ours = Config(folder.File("ours"));
        Assert.Equal(Names(config["target_modules"]), Names(ours["target_modules"]));
        string[] promised =
        [
            "peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "bias", "fan_in_fan_out", "inference_mode", "init_lora_weights", "use_rslora", "use_dora",
            "rank_pattern", "alpha_pattern", "modules_to_save",
        ];
        foreach (string field in promised)
        {
            Assert.True(JsonElement.DeepEquals(config[field], ours[field]), $"{field} is {ours[field]}, with PEFT {config[field]}");
        }

        Assert.Empty(ours.Keys.Except(config.Keys));
        Assert.Equal(run.HeldOutBefore, Reloaded(), 2e-4);

        double Reloaded()
        {
            model.Adapters.Load("again", folder.File("ours"));
            using var tape = new Tape(backend);
            return Evaluator.Evaluate(model, tape, ReferenceRun.HeldOut(), 4, TestContext.Current.CancellationToken).Loss;
        }
    }

    private static string ReferenceConfig => TestFiles.InRepository("tests", "PureSharpQLoRA.Training.Tests", "Models", "stories260K.config.json");

    private static string[] Facts(SafetensorsFile file) =>
        [.. file.Entries.Values.Select(entry => $"{entry.Name} {entry.Type} [{string.Join(", ", entry.Shape)}]").Order(StringComparer.Ordinal)];

    private static Dictionary<string, JsonElement> Config(string folder) =>
        JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(File.ReadAllText(Path.Combine(folder, AdapterConfig.FileName)))!;

    private static string[] Names(JsonElement list) => [.. list.EnumerateArray().Select(name => name.GetString()!).Order(StringComparer.Ordinal)];

    private static float[] Values(int count, string stream) =>
        [.. Enumerable.Range(0, count).Select(i => 0.2f * Philox.Normal(Philox.Mix(3, stream), (ulong)i))];

    private static double Loss(Tiny model)
    {
        using var tape = new Tape(model.Backend);
        return Evaluator.Evaluate(model, tape, HeldOut, 4, TestContext.Current.CancellationToken).Loss;
    }
}
