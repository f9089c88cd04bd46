using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Makes a config.json from the metadata of a GGUF file.</summary>
internal sealed class GgufModelConfig
{
    // What Llama 3's rotary scaling has in every published model; a GGUF file keeps only the factors that follow from it.
    private const double LowFactor = 1;
    private const double HighFactor = 4;

    // Keys that change the mathematics; none of the supported families has them.
    private static readonly string[] Neutral =
        ["expert_count", "logit_scale", "residual_scale", "embedding_scale", "attention.scale", "attn_logit_softcapping", "final_logit_softcapping", "rope.scaling.yarn_log_multiplier"];

    private readonly GgufFile _file;
    private readonly string _arch;

    private GgufModelConfig(GgufFile file, string arch) => (_file, _arch) = (file, arch);

    /// <summary>The text of a config.json.</summary>
    /// <exception cref="WeightFormatException">The file holds no model, or one of a family or with mathematics that are not supported.</exception>
    public static string Create(GgufFile file) => new GgufModelConfig(file, Architecture(file)).Create().ToJsonString(new JsonSerializerOptions { WriteIndented = true });

    /// <summary>The family, which must be one whose weights have names here.</summary>
    public static string Architecture(GgufFile file)
    {
        string arch = file.FindText("general.architecture") ?? throw new WeightFormatException(file.Path, "the file doesn't say which architecture its model has (general.architecture)");
        string type = file.FindText("general.type") ?? "model";
        if (type != "model")
        {
            throw new WeightFormatException(file.Path, $"the file holds no model: its type is {type}");
        }

        return arch is "llama" or "qwen2" or "qwen3"
            ? arch
            : throw new WeightFormatException(file.Path, $"the architecture {arch} is not supported as GGUF; llama (with Mistral), qwen2 and qwen3 are");
    }

    /// <summary>Values per head.</summary>
    public static int HeadSize(GgufFile file, string arch) =>
        file.FindInteger(arch + ".attention.key_length") ?? (Required(file, arch + ".embedding_length") / Math.Max(1, Required(file, arch + ".attention.head_count")));

    private JsonObject Create()
    {
        foreach (string key in Neutral)
        {
            if (_file.FindNumber($"{_arch}.{key}") is { } value and not 0)
            {
                throw new WeightFormatException(_file.Path, string.Create(CultureInfo.InvariantCulture, $"{_arch}.{key} is {value}, which is not supported"));
            }
        }

        int heads = Required(_file, _arch + ".attention.head_count"), headSize = HeadSize(_file, _arch);
        GgufEntry embedding = _file.Find("token_embd.weight");
        int rotated = _file.FindInteger(_arch + ".rope.dimension_count") ?? headSize;
        if (rotated != headSize || (_file.FindInteger(_arch + ".attention.value_length") ?? headSize) != headSize)
        {
            throw new WeightFormatException(_file.Path, $"heads of {headSize} values of which {rotated} are rotated are not supported");
        }

        var config = new JsonObject
        {
            ["model_type"] = _arch,
            ["vocab_size"] = embedding.Shape[0],
            ["hidden_size"] = Required(_file, _arch + ".embedding_length"),
            ["intermediate_size"] = Required(_file, _arch + ".feed_forward_length"),
            ["num_hidden_layers"] = Required(_file, _arch + ".block_count"),
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = _file.FindInteger(_arch + ".attention.head_count_kv") ?? heads,
            ["head_dim"] = headSize,
            ["max_position_embeddings"] = Required(_file, _arch + ".context_length"),
            ["rms_norm_eps"] = Single(_file.FindNumber(_arch + ".attention.layer_norm_rms_epsilon") ?? 1e-5),
            ["rope_theta"] = Single(_file.FindNumber(_arch + ".rope.freq_base") ?? 10000),
            ["hidden_act"] = "silu",
            ["tie_word_embeddings"] = !_file.Entries.ContainsKey("output.weight"),
            ["torch_dtype"] = embedding.Type switch { GgufTensorType.Float32 => "float32", GgufTensorType.BFloat16 => "bfloat16", _ => "float16" },
        };
        AddBiases(config);
        AddScaling(config, headSize);
        AddId(config, "bos_token_id", "tokenizer.ggml.bos_token_id");
        AddId(config, "eos_token_id", "tokenizer.ggml.eos_token_id");
        return config;
    }

    private void AddBiases(JsonObject config)
    {
        bool queries = _file.Entries.ContainsKey("blk.0.attn_q.bias"), output = _file.Entries.ContainsKey("blk.0.attn_output.bias");
        if (_arch == "qwen2" ? !queries || output : queries != output)
        {
            throw new WeightFormatException(_file.Path, $"{_arch} with biases on {(queries ? "queries" : "no queries")} and {(output ? "outputs" : "no outputs")} of attention is not supported");
        }

        if (_arch != "qwen2")
        {
            config["attention_bias"] = queries;
        }

        if (_arch == "llama")
        {
            config["mlp_bias"] = _file.Entries.ContainsKey("blk.0.ffn_gate.bias");
        }
    }

    private void AddScaling(JsonObject config, int headSize)
    {
        string prefix = _arch + ".rope.scaling.";
        double factor = _file.FindNumber(prefix + "factor") ?? _file.FindNumber(_arch + ".rope.scale_linear") ?? 1;
        string kind = _file.FindText(prefix + "type") ?? (factor == 1 ? "none" : "linear");
        bool hasFactors = _file.Entries.TryGetValue(GgufNames.RopeFactors, out GgufEntry? factors);
        switch (kind)
        {
            case "none" or "linear" when factor == 1:
                config["rope_scaling"] = hasFactors ? Llama3(factors!, headSize, (double)config["rope_theta"]!) : null;
                break;
            case "linear" when !hasFactors:
                config["rope_scaling"] = new JsonObject { ["rope_type"] = "linear", ["factor"] = Single(factor) };
                break;
            case "yarn" when !hasFactors:
                config["rope_scaling"] = new JsonObject
                {
                    ["rope_type"] = "yarn",
                    ["factor"] = Single(factor),
                    ["original_max_position_embeddings"] = Required(_file, prefix + "original_context_length"),
                    ["beta_fast"] = Single(_file.FindNumber(prefix + "yarn_beta_fast") ?? 32),
                    ["beta_slow"] = Single(_file.FindNumber(prefix + "yarn_beta_slow") ?? 1),
                    ["attention_factor"] = Single((_file.FindNumber(prefix + "attn_factor") ?? 1) * GgufModelInfo.DefaultAttentionFactor(factor)),
                };
                break;
            default:
                throw new WeightFormatException(_file.Path, $"rotary scaling of the kind {kind}{(hasFactors ? " with factors in " + GgufNames.RopeFactors : "")} is not supported");
        }
    }

    /// <summary>The settings that give these factors, found by the length of the original context.</summary>
    private JsonObject Llama3(GgufEntry entry, int headSize, double theta)
    {
        if (entry.Count != headSize / 2)
        {
            throw new WeightFormatException(_file.Path, $"it has {entry.Count} factors for {headSize / 2} frequencies", entry.Name);
        }

        var factors = new float[entry.Count];
        _file.ReadFloats(entry, 0, factors);
        float[] plain = RotaryScaling.Default((float)theta).Frequencies(headSize, 1);
        float factor = MathF.Round(factors.Max(), 4);
        foreach (int original in Originals(factors, plain, factor))
        {
            float[] scaled = RotaryScaling.Llama3((float)theta, factor, (float)LowFactor, (float)HighFactor, original).Frequencies(headSize, 1);
            if (factors.Select((value, i) => Math.Abs((plain[i] / scaled[i]) - value) <= 1e-3 * value).All(isSame => isSame))
            {
                return new JsonObject
                {
                    ["rope_type"] = "llama3",
                    ["factor"] = Single(factor),
                    ["low_freq_factor"] = LowFactor,
                    ["high_freq_factor"] = HighFactor,
                    ["original_max_position_embeddings"] = original,
                };
            }
        }

        throw new WeightFormatException(_file.Path, "its factors are not those of Llama 3's rotary scaling; other ones are not supported", entry.Name);
    }

    private static IEnumerable<int> Originals(float[] factors, float[] plain, float factor)
    {
        for (int i = 0; i < factors.Length; i++)
        {
            if (factors[i] > 1 && factors[i] < factor)
            {
                // The smooth step s is where 1 / f = (1 - s) / factor + s, and s = (original / wavelength - low) / (high - low).
                double step = ((1.0 / factors[i]) - (1.0 / factor)) / (1 - (1.0 / factor));
                yield return (int)Math.Round(((step * (HighFactor - LowFactor)) + LowFactor) * 2 * Math.PI / plain[i]);
            }
        }

        for (int power = 0; power < 24; power++)
        {
            yield return 1 << power;
        }
    }

    private void AddId(JsonObject config, string name, string key)
    {
        if (_file.FindInteger(key) is { } id)
        {
            config[name] = id;
        }
    }

    /// <summary>The shortest number that is the same in fp32: 1E-05 in place of 9.999999747378752E-06.</summary>
    private double Single(double value) => float.IsFinite((float)value)
        ? double.Parse(((float)value).ToString("R", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture)
        : throw new WeightFormatException(_file.Path, $"a number in the metadata of {_arch} is {value}");

    private static int Required(GgufFile file, string key) => file.FindInteger(key) ?? throw new WeightFormatException(file.Path, $"the key {key} is missing");
}
