using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Tests;

/// <summary>What the tests' own code needs of a config.json; read apart from the generator's parser, so that neither can hide a mistake of the other.</summary>
internal sealed class ModelConfig
{
    private readonly JsonElement _root;

    private ModelConfig(JsonElement root) => _root = root;

    public string Family => _root.GetProperty("model_type").GetString()!;

    public int Hidden => Integer("hidden_size");

    public int Inner => Integer("intermediate_size");

    public int Layers => Integer("num_hidden_layers");

    public int Heads => Integer("num_attention_heads");

    public int KeyValueHeads => Integer("num_key_value_heads");

    public int HeadSize => _root.TryGetProperty("head_dim", out JsonElement size) ? size.GetInt32() : Hidden / Heads;

    public int Vocabulary => Integer("vocab_size");

    public int MaxPositions => Integer("max_position_embeddings");

    public double Epsilon => _root.GetProperty("rms_norm_eps").GetDouble();

    public double Theta => _root.GetProperty("rope_theta").GetDouble();

    public bool Tied => Flag("tie_word_embeddings");

    public bool QueryKeyValueBias => Family == "qwen2" || Flag("attention_bias");

    public bool OutputBias => Flag("attention_bias");

    public bool MlpBias => Flag("mlp_bias");

    public bool QueryKeyNorm => Family == "qwen3";

    public JsonElement? Scaling => _root.TryGetProperty("rope_scaling", out JsonElement scaling) && scaling.ValueKind == JsonValueKind.Object ? scaling : null;

    public static ModelConfig Read(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(path));
        return new ModelConfig(document.RootElement.Clone());
    }

    /// <summary>How many tokens a query of the layer sees, itself included; 0 for all.</summary>
    public int Window(int layer) => Family switch
    {
        "mistral" => Integer("sliding_window"),
        "qwen2" when Flag("use_sliding_window") && layer >= Integer("max_window_layers") => Integer("sliding_window"),
        _ => 0,
    };

    /// <summary>Whether a layer turns its queries and keys.</summary>
    public bool HasRotary(int layer) => !_root.TryGetProperty("no_rope_layers", out JsonElement layers) || layers[layer].GetInt32() == 1;

    /// <summary>All weights, by the names that transformers gives them.</summary>
    public IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("model.embed_tokens.weight", [Vocabulary, Hidden]);
        for (int layer = 0; layer < Layers; layer++)
        {
            string path = $"model.layers.{layer}.";
            yield return (path + "input_layernorm.weight", [Hidden]);
            yield return (path + "post_attention_layernorm.weight", [Hidden]);
            foreach ((string name, int inputs, int outputs, bool bias) in new[]
            {
                ("self_attn.q_proj", Hidden, Heads * HeadSize, QueryKeyValueBias),
                ("self_attn.k_proj", Hidden, KeyValueHeads * HeadSize, QueryKeyValueBias),
                ("self_attn.v_proj", Hidden, KeyValueHeads * HeadSize, QueryKeyValueBias),
                ("self_attn.o_proj", Heads * HeadSize, Hidden, OutputBias),
                ("mlp.gate_proj", Hidden, Inner, MlpBias),
                ("mlp.up_proj", Hidden, Inner, MlpBias),
                ("mlp.down_proj", Inner, Hidden, MlpBias),
            })
            {
                yield return ($"{path}{name}.weight", [outputs, inputs]);
                if (bias)
                {
                    yield return ($"{path}{name}.bias", [outputs]);
                }
            }

            if (QueryKeyNorm)
            {
                yield return (path + "self_attn.q_norm.weight", [HeadSize]);
                yield return (path + "self_attn.k_norm.weight", [HeadSize]);
            }
        }

        yield return ("model.norm.weight", [Hidden]);
        if (!Tied)
        {
            yield return ("lm_head.weight", [Vocabulary, Hidden]);
        }
    }

    private int Integer(string name) => _root.GetProperty(name).GetInt32();

    private bool Flag(string name) => _root.TryGetProperty(name, out JsonElement value) && value.GetBoolean();
}
