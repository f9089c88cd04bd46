using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>The JSON side of <see cref="AdapterConfig"/>.</summary>
internal sealed class AdapterConfigReader(string path)
{
    private const int MaxRank = 1 << 16;

    /// <summary>Fields about training, versions or other adapter kinds, which change nothing about how a trained LoRA works.</summary>
    private static readonly HashSet<string> WithoutEffect = new(StringComparer.Ordinal)
    {
        "peft_type", "auto_mapping", "revision", "peft_version", "loftq_config", "eva_config", "corda_config", "lora_ga_config", "megatron_config", "megatron_core",
        "layers_to_transform", "layers_pattern", "exclude_modules", "runtime_config", "qalora_group_size", "ensure_weight_tying", "init_lora_weights",
    };

    /// <summary>Fields that change the mathematics in a way this library lacks.</summary>
    private static readonly string[] Unsupported =
    [
        "fan_in_fan_out", "layer_replication", "lora_bias", "use_qalora", "alora_invocation_tokens", "target_parameters", "trainable_token_indices", "arrow_config",
        "use_bdlora", "kasa_config", "monteclora_config", "velora_config",
    ];

    public AdapterConfig Read() => JsonFile.Read(path, Read);

    public static string Write(AdapterConfig config)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" }))
        {
            // In the order of the names, as PEFT writes them.
            json.WriteStartObject();
            WritePattern("alpha_pattern", config.AlphaPattern, WriteNumber);
            json.WriteNull("auto_mapping");
            json.WriteString("base_model_name_or_path", config.BaseModelNameOrPath);
            json.WriteString("bias", "none");
            json.WriteBoolean("fan_in_fan_out", false);
            json.WriteBoolean("inference_mode", config.InferenceMode);
            json.WriteBoolean("init_lora_weights", true);
            json.WriteNull("layers_pattern");
            json.WriteNull("layers_to_transform");
            json.WritePropertyName("lora_alpha");
            WriteNumber(config.LoraAlpha);
            json.WritePropertyName("lora_dropout");
            json.WriteRawValue(config.LoraDropout.ToString("0.0################", System.Globalization.CultureInfo.InvariantCulture));
            WriteStrings("modules_to_save", config.ModulesToSave);
            json.WriteString("peft_type", "LORA");
            json.WriteNumber("r", config.R);
            WritePattern("rank_pattern", config.RankPattern, rank => json.WriteNumberValue(rank));
            json.WriteNull("revision");
            if (config.TargetModulesPattern is not null)
            {
                json.WriteString("target_modules", config.TargetModulesPattern);
            }
            else
            {
                WriteStrings("target_modules", config.TargetModules);
            }

            json.WriteString("task_type", config.TaskType);
            json.WriteBoolean("use_dora", config.UseDora);
            json.WriteBoolean("use_rslora", config.UseRslora);
            json.WriteEndObject();

            // Some readers take alpha for a whole number.
            void WriteNumber(double value)
            {
                if (value == Math.Truncate(value) && Math.Abs(value) < 1L << 53)
                {
                    json.WriteNumberValue((long)value);
                }
                else
                {
                    json.WriteNumberValue(value);
                }
            }

            void WriteStrings(string field, IReadOnlyList<string> values)
            {
                if (values.Count == 0)
                {
                    json.WriteNull(field);
                    return;
                }

                json.WriteStartArray(field);
                foreach (string value in values)
                {
                    json.WriteStringValue(value);
                }

                json.WriteEndArray();
            }

            void WritePattern<T>(string field, IReadOnlyDictionary<string, T> pattern, Action<T> write)
            {
                json.WriteStartObject(field);
                foreach ((string key, T value) in pattern)
                {
                    json.WritePropertyName(key);
                    write(value);
                }

                json.WriteEndObject();
            }
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private AdapterConfig Read(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new WeightFormatException(path, "the configuration must be a JSON object");
        }

        if (!root.TryGetProperty("peft_type", out JsonElement kind) || kind.ValueKind != JsonValueKind.String || kind.GetString() != "LORA")
        {
            throw new WeightFormatException(path, $"peft_type must be \"LORA\", not {(kind.ValueKind == JsonValueKind.Undefined ? "missing" : Shown(kind))}");
        }

        foreach (string field in Unsupported)
        {
            if (root.TryGetProperty(field, out JsonElement value) && !IsAtRest(value))
            {
                throw new WeightFormatException(path, $"the field {field} = {Shown(value)} is not supported");
            }
        }

        if (root.TryGetProperty("bias", out JsonElement bias) && bias.ValueKind != JsonValueKind.Null && !(bias.ValueKind == JsonValueKind.String && bias.GetString() == "none"))
        {
            throw new WeightFormatException(path, $"the field bias = {Shown(bias)} is not supported; it must be \"none\"");
        }

        (IReadOnlyList<string> targets, string? pattern) = ReadTargets(root);
        var config = new AdapterConfig
        {
            TaskType = String(root, "task_type"),
            BaseModelNameOrPath = String(root, "base_model_name_or_path"),
            R = Rank(root.TryGetProperty("r", out JsonElement r) ? r : throw Missing("r"), "r"),
            LoraAlpha = Number(root.TryGetProperty("lora_alpha", out JsonElement alpha) ? alpha : throw Missing("lora_alpha"), "lora_alpha"),
            LoraDropout = root.TryGetProperty("lora_dropout", out JsonElement dropout) ? Number(dropout, "lora_dropout") : 0,
            TargetModules = targets,
            TargetModulesPattern = pattern,
            ModulesToSave = Strings(root, "modules_to_save"),
            RankPattern = Pattern(root, "rank_pattern", Rank),
            AlphaPattern = Pattern(root, "alpha_pattern", Number),
            UseRslora = Flag(root, "use_rslora", false),
            UseDora = Flag(root, "use_dora", false),
            InferenceMode = Flag(root, "inference_mode", false),
        };
        return config with { Warnings = CollectWarnings(root) };
    }

    private static bool IsAtRest(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.String => value.GetString()!.Length == 0,
        _ => false,
    };

    private static string Shown(JsonElement value)
    {
        string text = value.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "...";
    }

    private static List<string> CollectWarnings(JsonElement root)
    {
        HashSet<string> known = new(WithoutEffect, StringComparer.Ordinal)
        {
            "task_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save", "rank_pattern", "alpha_pattern",
            "use_rslora", "use_dora", "inference_mode", "bias",
        };
        known.UnionWith(Unsupported);
        List<string> warnings = [];
        foreach (JsonProperty field in root.EnumerateObject())
        {
            if (!known.Contains(field.Name) && !IsAtRest(field.Value))
            {
                warnings.Add($"the field {field.Name} = {Shown(field.Value)} is not known here and was ignored");
            }
        }

        // These start from changed base weights, which plain loading doesn't restore.
        if (root.TryGetProperty("init_lora_weights", out JsonElement init) && init.ValueKind == JsonValueKind.String
            && (init.GetString()!.StartsWith("pissa", StringComparison.Ordinal) || init.GetString() is "olora" or "corda"))
        {
            warnings.Add($"the adapter was initialised by {init.GetString()}, which changes the base model; it fits the original base only if it was converted when saved");
        }

        return warnings;
    }

    private (IReadOnlyList<string> Names, string? Pattern) ReadTargets(JsonElement root)
    {
        if (!root.TryGetProperty("target_modules", out JsonElement targets) || targets.ValueKind == JsonValueKind.Null)
        {
            throw Missing("target_modules");
        }

        if (targets.ValueKind != JsonValueKind.String)
        {
            return (Strings(root, "target_modules"), null);
        }

        string pattern = targets.GetString()!;
        CheckRegex(pattern, "target_modules");
        return ([], pattern);
    }

    private void CheckRegex(string pattern, string field)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.CultureInvariant);
        }
        catch (ArgumentException error)
        {
            throw new WeightFormatException(path, $"the field {field} has the invalid regular expression '{pattern}'", inner: error);
        }
    }

    private string? String(JsonElement root, string field)
    {
        if (!root.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? value.GetString() : throw Wrong(field, value, "a string");
    }

    private List<string> Strings(JsonElement root, string field)
    {
        List<string> strings = [];
        if (!root.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return strings;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Wrong(field, value, "a list of strings");
        }

        foreach (JsonElement item in value.EnumerateArray())
        {
            strings.Add(item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Wrong(field, item, "a list of strings"));
        }

        return strings;
    }

    private bool Flag(JsonElement root, string field, bool otherwise)
    {
        if (!root.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return otherwise;
        }

        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(field, value, "true or false");
    }

    private Dictionary<string, T> Pattern<T>(JsonElement root, string field, Func<JsonElement, string, T> read)
    {
        Dictionary<string, T> pattern = new(StringComparer.Ordinal);
        if (!root.TryGetProperty(field, out JsonElement value) || value.ValueKind == JsonValueKind.Null)
        {
            return pattern;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(field, value, "an object");
        }

        foreach (JsonProperty entry in value.EnumerateObject())
        {
            CheckRegex(entry.Name, field);
            pattern[entry.Name] = read(entry.Value, $"{field}.{entry.Name}");
        }

        return pattern;
    }

    private int Rank(JsonElement value, string field) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int rank) && rank is > 0 and <= MaxRank
            ? rank
            : throw Wrong(field, value, $"a whole number from 1 to {MaxRank}");

    private double Number(JsonElement value, string field) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) ? number : throw Wrong(field, value, "a number");

    private WeightFormatException Missing(string field) => new(path, $"the field {field} is missing");

    private WeightFormatException Wrong(string field, JsonElement value, string expected) => new(path, $"the field {field} must be {expected}, not {Shown(value)}");
}
