using System.Text.Json;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

public sealed class PeftAdapterTests : IDisposable
{
    private const string Minimal = """{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"]}""";

    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string> Runs => ["qlora", "dora", "rslora", "qlora_qv_only_r4"];

    [Theory]
    [MemberData(nameof(Runs))]
    public void An_adapter_of_PEFT_is_written_again_byte_for_byte(string run)
    {
        string? folder = TestFiles.InReference("reference", "runs", run, "peft_final");
        if (folder is null)
        {
            Assert.Skip("The reference figures are not beside the repository.");
        }

        using PeftAdapterFile adapter = PeftAdapterFile.Open(folder);
        Assert.Empty(adapter.Config.Warnings);
        Assert.Equal(run == "qlora_qv_only_r4" ? 10 : 35, adapter.Modules.Count);
        Assert.All(adapter.Modules, module => Assert.True(adapter.Config.Targets(module.Path)));
        string copy = _folder.File("copy");
        using (var writer = new PeftAdapterWriter(copy, adapter.Config, adapter.Modules.Select(module => new PeftModuleDeclaration(module.Path, module.Inputs, module.Outputs))))
        {
            foreach (PeftModule module in adapter.Modules)
            {
                var a = new float[module.Rank * module.Inputs];
                adapter.ReadA(module, a);
                writer.WriteA(module.Path, a);
                var b = new float[module.Rank * module.Outputs];
                adapter.ReadB(module, b);
                writer.WriteB(module.Path, b);
                if (adapter.Config.UseDora)
                {
                    var magnitude = new float[module.Outputs];
                    adapter.ReadMagnitude(module, magnitude);
                    writer.WriteMagnitude(module.Path, magnitude);
                }
            }

            writer.Complete();
        }

        Assert.Equal(File.ReadAllBytes(Path.Combine(folder, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(copy, "adapter_model.safetensors")));

        // Every field that is written has the value that PEFT wrote.
        using JsonDocument theirs = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")));
        using JsonDocument ours = JsonDocument.Parse(File.ReadAllText(Path.Combine(copy, "adapter_config.json")));
        foreach (JsonProperty field in ours.RootElement.EnumerateObject())
        {
            Assert.Equal(
                JsonSerializer.Serialize(theirs.RootElement.GetProperty(field.Name)),
                JsonSerializer.Serialize(field.Value));
        }
    }

    [Fact]
    public void Ranks_alphas_and_targets_follow_the_patterns()
    {
        var config = new AdapterConfig
        {
            R = 8,
            LoraAlpha = 16,
            TargetModules = ["q_proj", "mlp.up_proj"],
            RankPattern = new Dictionary<string, int> { ["layers.0.self_attn.q_proj"] = 4, ["up_proj"] = 2, [@"model.layers.\d+.mlp.up_proj"] = 3 },
            AlphaPattern = new Dictionary<string, double> { ["q_proj"] = 1.5 },
        };
        AdapterConfig read = RoundTrip(config);
        Assert.Equal(config.ToJson(), read.ToJson());
        Assert.Equal(4, read.RankOf("model.layers.0.self_attn.q_proj"));
        Assert.Equal(8, read.RankOf("model.layers.10.self_attn.q_proj"));
        Assert.Equal(2, read.RankOf("model.layers.1.mlp.up_proj"));
        Assert.Equal(8, read.RankOf("model.layers.1.mlp.xup_proj"));
        Assert.Equal(1.5 / 4, read.ScaleOf("model.layers.0.self_attn.q_proj"));
        Assert.Equal(16 / Math.Sqrt(2), (read with { UseRslora = true }).ScaleOf("model.layers.1.mlp.up_proj"));
        Assert.True(read.Targets("model.layers.1.mlp.up_proj"));
        Assert.False(read.Targets("model.layers.1.other.up_proj"));
        Assert.False(read.Targets("model.layers.1.xq_proj"));

        AdapterConfig pattern = RoundTrip(config with { TargetModules = [], TargetModulesPattern = @".*\.(q|k)_proj" });
        Assert.True(pattern.Targets("layers.0.k_proj"));
        Assert.False(pattern.Targets("layers.0.k_proj.x"));
        Assert.True(RoundTrip(config with { TargetModules = [], TargetModulesPattern = "all-linear" }).Targets("anything"));
    }

    [Theory]
    [InlineData("""{"r":2}""", "peft_type must be \"LORA\", not missing")]
    [InlineData("""{"peft_type":"LOHA","r":2}""", "peft_type must be \"LORA\", not \"LOHA\"")]
    [InlineData("""{"peft_type":"LORA","lora_alpha":4,"target_modules":["q"]}""", "the field r is missing")]
    [InlineData("""{"peft_type":"LORA","r":2,"target_modules":["q"]}""", "the field lora_alpha is missing")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4}""", "the field target_modules is missing")]
    [InlineData("""{"peft_type":"LORA","r":0,"lora_alpha":4,"target_modules":["q"]}""", "r must be a whole number from 1")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":"4","target_modules":["q"]}""", "lora_alpha must be a number")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":[1]}""", "target_modules must be a list of strings")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":"(q"}""", "invalid regular expression '(q'")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q"],"rank_pattern":{"q":1.5}}""", "rank_pattern.q must be a whole number")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q"],"bias":"all"}""", "bias = \"all\" is not supported")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q"],"fan_in_fan_out":true}""", "fan_in_fan_out = true is not supported")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q"],"use_dora":1}""", "use_dora must be true or false")]
    [InlineData("""[]""", "must be a JSON object")]
    [InlineData("{", "not valid JSON")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["\ud800"]}""", "not valid JSON")]
    public void A_wrong_configuration_is_named(string json, string problem)
    {
        string path = _folder.File("adapter_config.json");
        File.WriteAllText(path, json);
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => AdapterConfig.Read(path));
        Assert.Contains(problem, error.Message);
        Assert.StartsWith(path, error.Message);
    }

    [Fact]
    public void Fields_of_newer_versions_are_warned_of()
    {
        string path = _folder.File("adapter_config.json");
        File.WriteAllText(path, """{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q"],"use_future":true,"other_future":null,"init_lora_weights":"pissa_niter_4"}""");
        IReadOnlyList<string> warnings = AdapterConfig.Read(path).Warnings;
        Assert.Equal(2, warnings.Count);
        Assert.Contains("use_future = true", warnings[0]);
        Assert.Contains("pissa_niter_4", warnings[1]);
    }

    [Theory]
    [InlineData(Minimal, "q.lora_A.weight:2,3 q.lora_B.weight:5,2", null)]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"],"use_dora":true}""", "q.lora_A.weight:2,3 q.lora_B.weight:5,2 q.lora_magnitude_vector.weight:5,1", null)]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"],"modules_to_save":["head"]}""", "q.lora_A.weight:2,3 q.lora_B.weight:5,2 head.weight:5", null)]
    [InlineData(Minimal, "q.lora_A.weight:2,3", "its partner 'base_model.model.q.lora_B.weight' is missing")]
    [InlineData(Minimal, "q.lora_B.weight:5,2", "its partner 'base_model.model.q.lora_A.weight' is missing")]
    [InlineData(Minimal, "q.lora_A.weight:3,3 q.lora_B.weight:5,3", "its rank is 3, but adapter_config.json says 2")]
    [InlineData(Minimal, "q.lora_A.weight:2,3 q.lora_B.weight:2,5", "A's rows and B's columns must both be the rank")]
    [InlineData(Minimal, "q.lora_A.weight:6 q.lora_B.weight:5,2", "F32 [6] where a matrix was expected")]
    [InlineData(Minimal, "q.lora_A.weight:2,3 q.lora_B.weight:5,2 q.lora_magnitude_vector:5", "use_dora is false")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"],"use_dora":true}""", "q.lora_A.weight:2,3 q.lora_B.weight:5,2", "'base_model.model.q.lora_magnitude_vector' is missing")]
    [InlineData("""{"peft_type":"LORA","r":2,"lora_alpha":4,"target_modules":["q_proj"],"use_dora":true}""", "q.lora_A.weight:2,3 q.lora_B.weight:5,2 q.lora_magnitude_vector:4", "where 5 magnitudes were expected")]
    [InlineData(Minimal, "head.weight:5", "no part of a LoRA adapter")]
    [InlineData(Minimal, "embed.lora_embedding_A:2,3", "no part of a LoRA adapter")]
    [InlineData(Minimal, "", "not a LoRA adapter of PEFT")]
    public void Weights_are_held_against_the_configuration(string config, string tensors, string? problem)
    {
        File.WriteAllText(_folder.File("adapter_config.json"), config);
        SafetensorsDeclaration[] declarations =
        [
            .. tensors.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(text => text.Split(':'))
                .Select(parts => new SafetensorsDeclaration("base_model.model." + parts[0], SafetensorsType.Float32, [.. parts[1].Split(',').Select(long.Parse)])),
        ];
        using (var writer = new SafetensorsWriter(_folder.File("adapter_model.safetensors"), declarations))
        {
            foreach (SafetensorsDeclaration tensor in declarations)
            {
                writer.Write(tensor.Name, new byte[tensor.Bytes]);
            }

            writer.Complete();
        }

        if (problem is null)
        {
            using PeftAdapterFile adapter = PeftAdapterFile.Open(_folder.Path);
            PeftModule module = Assert.Single(adapter.Modules);
            Assert.Equal(("q", 3, 5, 2), (module.Path, module.Inputs, module.Outputs, module.Rank));
            Assert.Equal(adapter.Config.ModulesToSave.Count, adapter.SavedTensors.Count);
        }
        else
        {
            WeightFormatException error = Assert.Throws<WeightFormatException>(() => PeftAdapterFile.Open(_folder.Path));
            Assert.Contains(problem, error.Message);
        }
    }

    [Fact]
    public void A_pattern_that_never_ends_is_named()
    {
        var config = new AdapterConfig { R = 8, LoraAlpha = 16, TargetModulesPattern = "(a+)+b" };
        Assert.Contains("takes too long", Assert.Throws<WeightFormatException>(() => config.Targets(new string('a', 60))).Message);
    }

    [Fact]
    public void An_unfinished_adapter_leaves_the_one_before()
    {
        var config = new AdapterConfig { R = 1, LoraAlpha = 1, TargetModules = ["q"] };
        using (var writer = new PeftAdapterWriter(_folder.Path, config, [new("q", 2, 1)]))
        {
            writer.WriteA("q", [1, 2]);
            writer.WriteB("q", [3]);
            writer.Complete();
        }

        using (var writer = new PeftAdapterWriter(_folder.Path, config, [new("q", 2, 1)]))
        {
            writer.WriteA("q", [5, 6]);
            Assert.Throws<InvalidOperationException>(writer.Complete);
        }

        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], Directory.GetFiles(_folder.Path).Select(path => Path.GetFileName(path)).Order());
        using PeftAdapterFile adapter = PeftAdapterFile.Open(_folder.Path);
        var a = new float[2];
        adapter.ReadA(adapter.Modules[0], a);
        Assert.Equal([1f, 2f], a);
        Assert.Throws<ArgumentException>(() => adapter.ReadMagnitude(adapter.Modules[0], new float[1]));
        Assert.Throws<ArgumentException>(() => new PeftAdapterWriter(_folder.Path, config with { TargetModules = [] }, []));
        Assert.Throws<ArgumentException>(() => new PeftAdapterWriter(_folder.Path, config with { ModulesToSave = ["head"] }, []));
    }

    [Fact]
    public void Missing_files_are_named()
    {
        Assert.Contains("does not exist", Assert.Throws<WeightFormatException>(() => PeftAdapterFile.Open(_folder.File("none"))).Message);
        Assert.Contains("adapter_config.json: the file does not exist", Assert.Throws<WeightFormatException>(() => PeftAdapterFile.Open(_folder.Path)).Message);
        File.WriteAllText(_folder.File("adapter_model.bin"), "");
        Assert.Contains("pickled", Assert.Throws<WeightFormatException>(() => PeftAdapterFile.Open(_folder.Path)).Message);
    }

    private AdapterConfig RoundTrip(AdapterConfig config)
    {
        string path = _folder.File("adapter_config.json");
        AtomicFile.WriteText(path, config.ToJson());
        return AdapterConfig.Read(path);
    }
}
