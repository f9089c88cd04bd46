using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Tests;

public class ConfigParserTests
{
    [Fact]
    public void Every_fourth_layer_of_SmolLM3_has_no_rotary_embedding()
    {
        ModelSpec spec = Configs.Spec("SmolLM3-3B");
        Assert.Equal([.. Enumerable.Range(0, 36).Select(layer => layer % 4 == 3)], spec.LayersWithoutRotary);
        Assert.Equal(0, spec.SlidingWindow);
    }

    [Fact]
    public void Sizes_of_published_models_are_read()
    {
        ModelSpec llama = Configs.Spec("Llama-3.1-8B");

        Assert.Equal(("llama", 128256, 4096, 14336, 32), (llama.ModelType, llama.VocabularySize, llama.HiddenSize, llama.IntermediateSize, llama.Layers));
        Assert.Equal((32, 8, 128, 131072), (llama.Heads, llama.KeyValueHeads, llama.HeadSize, llama.MaxPositions));
        Assert.Equal(
            new RotarySpec
            {
                Kind = RotaryKind.Llama3, Theta = 500000, Factor = 8, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 8192,
            },
            llama.Rotary);
    }

    [Fact]
    public void Families_differ_where_their_mathematics_do()
    {
        ModelSpec qwen2 = Configs.Spec("Qwen2.5-0.5B"), qwen3 = Configs.Spec("Qwen3-0.6B");
        ModelSpec mistral1 = Configs.Spec("Mistral-7B-v0.1"), mistral3 = Configs.Spec("Mistral-7B-v0.3");

        Assert.Equal((true, false, false), (qwen2.QueryKeyValueBias, qwen2.OutputBias, qwen2.QueryKeyNorm));
        Assert.Equal((false, false, true, 2048), (qwen3.QueryKeyValueBias, qwen3.OutputBias, qwen3.QueryKeyNorm, qwen3.QuerySize));
        Assert.Equal((4096, 32), (mistral1.SlidingWindow, mistral1.SlidingLayers.Count(slides => slides)));
        Assert.Equal((0, 0), (mistral3.SlidingWindow, mistral3.SlidingLayers.Count));
        Assert.Equal(0, qwen2.SlidingWindow);
    }

    [Fact]
    public void Biases_follow_the_config()
    {
        ModelSpec spec = Parse("TinyLlama-1.1B", ("attention_bias", "true"), ("mlp_bias", "true"));

        Assert.All(spec.BlockLinears, linear => Assert.True(linear.Bias));
    }

    [Fact]
    public void Qwen_windows_start_at_max_window_layers_or_follow_layer_types()
    {
        ModelSpec tail = Parse("Qwen2.5-0.5B", ("use_sliding_window", "true"), ("max_window_layers", "20"));
        IEnumerable<string> kinds = Enumerable.Range(0, 24).Select(layer => layer % 2 == 0 ? "\"sliding_attention\"" : "\"full_attention\"");
        string types = "[" + string.Join(", ", kinds) + "]";
        ModelSpec alternating = Parse("Qwen2.5-0.5B", ("use_sliding_window", "true"), ("layer_types", types));

        Assert.Equal((32768, 4), (tail.SlidingWindow, tail.SlidingLayers.Count(slides => slides)));
        Assert.True(tail.SlidingLayers[20] && !tail.SlidingLayers[19]);
        Assert.Equal(12, alternating.SlidingLayers.Count(slides => slides));
    }

    [Fact]
    public void Absent_fields_mean_what_transformers_takes_them_for()
    {
        ModelSpec llama = Parse(
            "TinyLlama-1.1B", ("num_key_value_heads", null), ("rms_norm_eps", null), ("max_position_embeddings", null), ("rope_theta", null));
        ModelSpec mistral = Parse("Mistral-7B-v0.1", ("sliding_window", null));
        ModelSpec qwen3 = Parse("Qwen3-0.6B", ("head_dim", null));

        Assert.Equal((32, 1e-6, 2048, 10000.0), (llama.KeyValueHeads, llama.NormEpsilon, llama.MaxPositions, llama.Rotary.Theta));
        Assert.Equal(4096, mistral.SlidingWindow);
        Assert.Equal(128, qwen3.HeadSize);
    }

    public static TheoryData<string, RotarySpec> Scalings => new()
    {
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}", new() { Kind = RotaryKind.Linear, Theta = 10000, Factor = 4 } },
        { "\"rope_scaling\": {\"rope_type\": \"default\"}", new() { Theta = 10000 } },
        {
            "\"rope_scaling\": {\"rope_type\": \"dynamic\", \"type\": \"dynamic\", \"factor\": 2}",
            new() { Kind = RotaryKind.Dynamic, Theta = 10000, Factor = 2, OriginalMaxPositions = 2048 }
        },
        {
            "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 1024}",
            new()
            {
                Kind = RotaryKind.Yarn, Theta = 10000, Factor = 4, OriginalMaxPositions = 1024, BetaFast = 32, BetaSlow = 1,
                AttentionFactor = (0.1 * Math.Log(4)) + 1,
            }
        },
        {
            "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 8, \"beta_fast\": 16, \"beta_slow\": 2, \"attention_factor\": 1.5}",
            new() { Kind = RotaryKind.Yarn, Theta = 10000, Factor = 8, OriginalMaxPositions = 2048, BetaFast = 16, BetaSlow = 2, AttentionFactor = 1.5 }
        },
        { "\"rope_parameters\": {\"rope_theta\": 10000.0, \"rope_type\": \"default\"}", new() { Theta = 10000 } },
        { "\"rope_parameters\": {\"rope_theta\": 10000}", new() { Theta = 10000 } },
        {
            "\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 32, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                + "\"original_max_position_embeddings\": 8192}",
            new()
            {
                Kind = RotaryKind.Llama3, Theta = 10000, Factor = 32, LowFrequencyFactor = 1, HighFrequencyFactor = 4, OriginalMaxPositions = 8192,
            }
        },
    };

    [Theory]
    [MemberData(nameof(Scalings))]
    public void Rotary_scalings_are_read_from_both_generations_of_configs(string members, RotarySpec expected)
    {
        string json = Configs.Change("TinyLlama-1.1B", "rope_scaling", null)
            .Replace("\"architectures\"", members + ", \"architectures\"", StringComparison.Ordinal);

        EmittedSources result = ModelSourceEmitter.Emit(json, "m/config.json", new ModelOptions());

        Assert.Empty(result.Diagnostics);
        Assert.Equal(expected, result.Spec!.Rotary);
    }

    [Fact]
    public void Theta_in_rope_parameters_is_taken()
    {
        string json = Configs.Change("TinyLlama-1.1B", "rope_theta", null)
            .Replace("\"rope_scaling\": null", "\"rope_parameters\": {\"rope_theta\": 250000, \"rope_type\": \"default\"}", StringComparison.Ordinal);

        Assert.Equal(250000, ModelSourceEmitter.Emit(json, "m/config.json", new ModelOptions()).Spec!.Rotary.Theta);
    }

    private static ModelSpec Parse(string model, params (string Member, string? Json)[] changes)
    {
        string json = Configs.Read(model);
        foreach ((string member, string? value) in changes)
        {
            json = Configs.ChangeText(json, member, value);
        }

        EmittedSources result = ModelSourceEmitter.Emit(json, model + "/config.json", new ModelOptions());
        Assert.Empty(result.Diagnostics);
        return result.Spec!;
    }
}
