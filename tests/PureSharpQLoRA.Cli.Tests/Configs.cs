namespace PureSharpQLoRA.Cli.Tests;

/// <summary>Small config.json texts.</summary>
internal static class Configs
{
    /// <summary>A Llama of 30 thousand weights.</summary>
    public const string Tiny = """
        {
          "model_type": "llama",
          "vocab_size": 512,
          "hidden_size": 32,
          "intermediate_size": 64,
          "num_hidden_layers": 2,
          "num_attention_heads": 4,
          "num_key_value_heads": 2,
          "max_position_embeddings": 256,
          "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0,
          "hidden_act": "silu",
          "tie_word_embeddings": true,
          "initializer_range": 0.05,
          "torch_dtype": "float32",
          "bos_token_id": 1,
          "eos_token_id": 2
        }
        """;

    /// <summary>The sizes of Llama-3.1-8B.</summary>
    public const string Llama8B = """
        {
          "model_type": "llama",
          "vocab_size": 128256,
          "hidden_size": 4096,
          "intermediate_size": 14336,
          "num_hidden_layers": 32,
          "num_attention_heads": 32,
          "num_key_value_heads": 8,
          "max_position_embeddings": 131072,
          "rms_norm_eps": 1e-05,
          "rope_theta": 500000.0,
          "rope_scaling": { "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_type": "llama3" },
          "hidden_act": "silu",
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16"
        }
        """;
}
