using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Tests;

public class DiagnosticTests
{
    /// <summary>A member changed in a good config: model, member, its new JSON (null removes it), and the finding with line and column.</summary>
    public static TheoryData<string, string, string?, string, int, int> BadMembers => new()
    {
        { "TinyLlama-1.1B", "hidden_size", null, "PSQ102", 1, 1 },
        { "TinyLlama-1.1B", "vocab_size", null, "PSQ102", 1, 1 },
        { "TinyLlama-1.1B", "model_type", null, "PSQ102", 1, 1 },
        { "TinyLlama-1.1B", "num_hidden_layers", "null", "PSQ102", 1, 1 },
        { "Qwen3-0.6B", "num_key_value_heads", null, "PSQ102", 1, 1 },
        { "TinyLlama-1.1B", "hidden_size", "\"2048\"", "PSQ103", 9, 18 },
        { "TinyLlama-1.1B", "hidden_size", "2048.5", "PSQ103", 9, 18 },
        { "TinyLlama-1.1B", "tie_word_embeddings", "1", "PSQ103", 21, 26 },
        { "TinyLlama-1.1B", "model_type", "[\"llama\"]", "PSQ103", 13, 17 },
        { "TinyLlama-1.1B", "rope_scaling", "8", "PSQ103", 19, 19 },
        { "TinyLlama-1.1B", "rms_norm_eps", "\"small\"", "PSQ103", 18, 19 },
        { "Qwen3-0.6B", "layer_types", "true", "PSQ103", 1, 17 },
        { "TinyLlama-1.1B", "hidden_size", "0", "PSQ104", 9, 18 },
        { "TinyLlama-1.1B", "num_hidden_layers", "-22", "PSQ104", 15, 24 },
        { "TinyLlama-1.1B", "vocab_size", "99999999999", "PSQ104", 25, 17 },
        { "TinyLlama-1.1B", "rms_norm_eps", "0", "PSQ104", 18, 19 },
        { "TinyLlama-1.1B", "rms_norm_eps", "NaN", "PSQ104", 18, 19 },
        { "TinyLlama-1.1B", "rope_theta", "-1", "PSQ104", 20, 17 },
        { "TinyLlama-1.1B", "rope_scaling", "{\"type\": \"linear\", \"factor\": 0.5}", "PSQ104", 19, 48 },
        { "TinyLlama-1.1B", "hidden_size", "2050", "PSQ105", 9, 18 },
        { "TinyLlama-1.1B", "num_key_value_heads", "5", "PSQ105", 16, 26 },
        { "TinyLlama-1.1B", "head_dim", "63", "PSQ105", 1, 14 },
        { "TinyLlama-1.1B", "rope_scaling", "{\"type\": \"linear\", \"rope_type\": \"yarn\", \"factor\": 2}", "PSQ105", 19, 28 },
        { "TinyLlama-1.1B", "rope_parameters", "{\"rope_type\": \"default\", \"rope_theta\": 500}", "PSQ105", 20, 17 },
        { "Qwen3-0.6B", "layer_types", "[\"full_attention\"]", "PSQ105", 1, 17 },
        { "TinyLlama-1.1B", "model_type", "\"gpt_bigcode\"", "PSQ110", 13, 17 },
        { "TinyLlama-1.1B", "hidden_act", "\"gelu\"", "PSQ111", 8, 17 },
        { "Llama-2-7b", "pretraining_tp", "2", "PSQ111", 16, 21 },
        { "TinyLlama-1.1B", "partial_rotary_factor", "0.5", "PSQ111", 1, 27 },
        { "TinyLlama-1.1B", "attention_dropout", "0.1", "PSQ111", 1, 23 },
        { "TinyLlama-1.1B", "num_experts", "8", "PSQ111", 1, 17 },
        { "Mistral-7B-v0.3", "attention_bias", "true", "PSQ111", 1, 20 },
        { "Qwen2.5-0.5B", "use_mrope", "true", "PSQ111", 25, 16 },
        { "TinyLlama-1.1B", "final_logit_softcapping", "30.0", "PSQ111", 1, 29 },
        { "Qwen3-0.6B", "layer_types", "[\"linear_attention\"]", "PSQ111", 1, 18 },
        { "TinyLlama-1.1B", "rope_scaling", "{\"type\": \"yarn\", \"factor\": 2, \"truncate\": false}", "PSQ111", 19, 61 },
        { "TinyLlama-1.1B", "rope_scaling", "{\"type\": \"longrope\", \"factor\": 2}", "PSQ112", 19, 28 },
        { "TinyLlama-1.1B", "rope_parameters", "{\"full_attention\": {\"rope_type\": \"default\"}}", "PSQ112", 1, 40 },
        { "TinyLlama-1.1B", "rope_scaling", "{\"factor\": 2}", "PSQ102", 19, 19 },
        { "TinyLlama-1.1B", "rope_scaling", "{\"rope_type\": \"dynamic\"}", "PSQ102", 19, 19 },
        { "TinyLlama-1.1B", "quantization_config", "{\"quant_method\": \"gptq\"}", "PSQ113", 1, 42 },
        { "TinyLlama-1.1B", "quantization_config", "{\"quant_method\": \"bitsandbytes\", \"load_in_8bit\": true}", "PSQ113", 1, 74 },
        { "TinyLlama-1.1B", "quantization_config", "{\"bnb_4bit_quant_type\": \"fp4\"}", "PSQ113", 1, 49 },
    };

    [Theory]
    [MemberData(nameof(BadMembers))]
    public void Bad_member_is_reported_at_its_place(string model, string member, string? json, string id, int line, int column)
    {
        EmittedSources result = ModelSourceEmitter.Emit(Configs.Change(model, member, json), "model/config.json", new ModelOptions());

        ModelDiagnostic diagnostic = Assert.Single(result.Diagnostics);
        Assert.Equal((id, line, column), (diagnostic.Id, diagnostic.Line, diagnostic.Column));
        Assert.True(diagnostic.IsError);
        Assert.False(result.Succeeded);
        Assert.Empty(result.Files);
    }

    [Theory]
    [InlineData("", 1, 1)]
    [InlineData("[1, 2]", 1, 1)]
    [InlineData("{", 1, 2)]
    [InlineData("{\n  \"a\": 1,\n}", 3, 1)]
    [InlineData("{\n  \"a\": 1\n  \"b\": 2\n}", 3, 3)]
    [InlineData("{\n  \"a\" 1\n}", 2, 7)]
    [InlineData("{\r\n  \"a\": 01\r\n}", 2, 8)]
    [InlineData("{\n  \"a\": tru\n}", 2, 8)]
    [InlineData("{\n  \"a\": \"x\n}", 2, 8)]
    [InlineData("{\n  \"a\": \"\\q\"\n}", 2, 9)]
    [InlineData("{\n  \"a\": 1,\n  \"a\": 2\n}", 3, 3)]
    [InlineData("{\n  \"a\": [1, 2\n}", 3, 1)]
    [InlineData("{} x", 1, 4)]
    [InlineData("{\"a\": \"\\u12\"}", 1, 8)]
    public void What_is_not_json_is_reported_at_its_place(string json, int line, int column)
    {
        EmittedSources result = ModelSourceEmitter.Emit(json, "model/config.json", new ModelOptions());

        ModelDiagnostic diagnostic = Assert.Single(result.Diagnostics);
        Assert.Equal(("PSQ101", line, column), (diagnostic.Id, diagnostic.Line, diagnostic.Column));
    }

    [Fact]
    public void Deep_nesting_is_an_error_and_no_stack_overflow()
    {
        EmittedSources result = ModelSourceEmitter.Emit(new string('[', 100_000), "config.json", new ModelOptions());

        Assert.Equal("PSQ101", Assert.Single(result.Diagnostics).Id);
    }

    [Fact]
    public void All_findings_are_reported_at_once()
    {
        string json = Configs.ChangeText(Configs.Change("TinyLlama-1.1B", "hidden_act", "\"relu\""), "hidden_size", "true");

        EmittedSources result = ModelSourceEmitter.Emit(json, "m/config.json", new ModelOptions());

        Assert.Equal(["PSQ103", "PSQ111"], result.Diagnostics.Select(diagnostic => diagnostic.Id).Order());
    }

    [Fact]
    public void Messages_say_what_where_and_what_to_do()
    {
        EmittedSources result = ModelSourceEmitter.Emit(Configs.Change("TinyLlama-1.1B", "model_type", "\"rwkv\""), "m/config.json", new ModelOptions());

        Assert.Equal(
            "m/config.json(13,17): error PSQ110: model_type 'rwkv' is not supported; supported are llama, mistral, qwen2, qwen3, smollm3",
            Assert.Single(result.Diagnostics).ToString());
    }

    [Fact]
    public void Damaged_configs_are_findings_and_never_exceptions()
    {
        string json = Configs.Read("Llama-3.1-8B");
        for (int at = 0; at < json.Length; at++)
        {
            foreach (string damaged in new[] { json[..at], json.Remove(at, 1), json.Insert(at, "9"), json.Insert(at, "\""), json.Insert(at, "{") })
            {
                EmittedSources result = ModelSourceEmitter.Emit(damaged, "m/config.json", new ModelOptions());

                Assert.True(result.Succeeded || result.Diagnostics.Any(diagnostic => diagnostic.IsError && diagnostic.Message.Length > 0));
            }
        }
    }

    [Theory]
    [InlineData("some_new_key", "{\"a\": [1, Infinity]}")]
    [InlineData("attention_dropout", "0")]
    [InlineData("head_dim", "null")]
    [InlineData("final_logit_softcapping", "null")]
    [InlineData("quantization_config", "{\"quant_method\": \"bitsandbytes\", \"load_in_4bit\": true, \"bnb_4bit_quant_type\": \"nf4\"}")]
    public void Harmless_members_are_ignored(string member, string json)
    {
        EmittedSources result = ModelSourceEmitter.Emit(Configs.Change("TinyLlama-1.1B", member, json), "m/config.json", new ModelOptions());

        Assert.Empty(result.Diagnostics);
        Assert.Equal(Configs.Spec("TinyLlama-1.1B"), result.Spec);
    }

    [Theory]
    [InlineData("1Model", "Models")]
    [InlineData("class", "Models")]
    [InlineData("Embedding", "Models")]
    [InlineData("Good", "My.1.Models")]
    [InlineData("Good", "")]
    public void Bad_names_are_errors(string className, string ns)
    {
        var options = new ModelOptions { ClassName = className, Namespace = ns };

        EmittedSources result = ModelSourceEmitter.Emit(Configs.Read("stories260K"), "m/config.json", options);

        Assert.Equal("PSQ120", Assert.Single(result.Diagnostics).Id);
        Assert.Empty(result.Files);
    }
}
