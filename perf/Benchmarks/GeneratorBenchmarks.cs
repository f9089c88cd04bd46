using BenchmarkDotNet.Attributes;
using PureSharpQLoRA.Generators;
using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Benchmarks;

/// <summary>From config.json to source text: what the generator costs an edit in the IDE.</summary>
[MemoryDiagnoser]
public class GeneratorBenchmarks
{
    private const string Config = """
        {"model_type": "llama", "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 22, "num_attention_heads": 32,
         "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 2048, "rms_norm_eps": 1e-05, "hidden_act": "silu",
         "rope_theta": 10000.0, "tie_word_embeddings": false}
        """;

    private readonly ModelOptions _options = new() { ClassName = "TinyLlama", Namespace = "My.Models" };

    [Benchmark]
    public object Emit() => ModelSourceEmitter.Emit(Config, "config.json", _options);
}
