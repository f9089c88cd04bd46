using System.Text.Json;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Inspection;

/// <summary>Finds out what a path is, and what it holds.</summary>
internal static class Inspector
{
    private const string TrainerState = "trainer_state.json";
    private const string SafetensorsEnding = ".safetensors";

    /// <exception cref="CliException">There is nothing known at the path.</exception>
    /// <exception cref="WeightFormatException">A file is damaged.</exception>
    public static InspectedFolder Look(string path)
    {
        if (GgufModel.FindFile(path) is { } gguf)
        {
            return Gguf(gguf);
        }

        if (File.Exists(path) && path.EndsWith(SafetensorsEnding, StringComparison.OrdinalIgnoreCase))
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            return Of("safetensors file", [path], [.. file.Entries.Values], null, Metadata(file));
        }

        if (!Directory.Exists(path))
        {
            throw new CliException($"{path} is neither a folder nor a .gguf or .safetensors file.");
        }

        return File.Exists(Path.Combine(path, AdapterConfig.FileName)) ? Adapter(path) : Model(path);
    }

    private static InspectedFolder Gguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        string kind = file.FindText("general.type") == "adapter" ? "GGUF adapter" : "GGUF model";
        InspectedTensor[] tensors = [.. file.Entries.Values.OrderBy(entry => entry.Name, StringComparer.Ordinal)
            .Select(entry => new InspectedTensor(entry.Name, entry.Type.Name(), entry.Shape, entry.Bytes))];
        return new InspectedFolder(
            kind, [path], file.Entries.Values.Sum(entry => entry.Count), tensors,
            [new InspectedFacts("metadata", [.. file.Metadata.Select(pair => (pair.Key, (object?)Value(pair.Value)))])]);
    }

    private static InspectedFolder Model(string folder)
    {
        using CheckpointReader reader = CheckpointReader.Open(folder);
        SafetensorsEntry[] entries = [.. reader.Tensors.Values.Select(tensor => tensor.Entry)];
        var facts = new List<InspectedFacts>();
        if (ReadJson(Path.Combine(folder, "config.json")) is { } config)
        {
            facts.Add(config with { Name = "config" });
        }

        bool isCheckpoint = AddState(folder, facts);
        int quantized = 0, nested = 0;
        foreach (SafetensorsEntry entry in entries.Where(entry => entry.Name.EndsWith(".weight", StringComparison.Ordinal)))
        {
            if (reader.TryGetNf4(entry.Name, out Nf4Entry? nf4))
            {
                quantized++;
                nested += nf4!.IsDoubleQuantized ? 1 : 0;
            }
        }

        if (quantized > 0)
        {
            facts.Add(new InspectedFacts("quantization", [("type", "nf4"), ("weights", (long)quantized), ("double_quantized_weights", (long)nested)]));
        }

        string kind = isCheckpoint ? "checkpoint of a whole model" : quantized > 0 ? "model in 4 bits (bitsandbytes NF4)" : "model";
        return Of(kind, [.. reader.Files.Select(file => file.Path)], entries, reader, [.. facts]);
    }

    private static InspectedFolder Adapter(string folder)
    {
        string weights = Path.Combine(folder, PeftAdapterFile.WeightsFileName);
        using PeftAdapterFile adapter = PeftAdapterFile.Open(folder);
        using SafetensorsFile file = SafetensorsFile.Open(weights);
        AdapterConfig config = adapter.Config;
        var facts = new List<InspectedFacts>
        {
            new("adapter",
            [
                ("base_model_name_or_path", config.BaseModelNameOrPath),
                ("r", (long)config.R),
                ("lora_alpha", config.LoraAlpha),
                ("lora_dropout", config.LoraDropout),
                ("use_rslora", config.UseRslora),
                ("use_dora", config.UseDora),
                ("target_modules", config.TargetModulesPattern is { } pattern ? pattern : config.TargetModules.ToArray()),
                ("modules_to_save", config.ModulesToSave.ToArray()),
                ("modules", (long)adapter.Modules.Count),
                ("scale", config.ScaleOf(adapter.Modules[0].Path)),
            ]),
        };
        bool isCheckpoint = AddState(folder, facts);
        return Of(isCheckpoint ? "checkpoint of an adapter" : "adapter", [weights], [.. file.Entries.Values], null, [.. facts]);
    }

    /// <summary>What a training run kept beside the weights, where the folder is a checkpoint.</summary>
    private static bool AddState(string folder, List<InspectedFacts> facts)
    {
        if (ReadJson(Path.Combine(folder, TrainerState)) is not { } state)
        {
            return false;
        }

        facts.Add(state with { Name = "trainer_state" });
        return true;
    }

    private static InspectedFolder Of(string kind, IReadOnlyList<string> files, SafetensorsEntry[] entries, CheckpointReader? reader, params InspectedFacts[] facts)
    {
        InspectedTensor[] tensors = [.. entries.OrderBy(entry => entry.Name, StringComparer.Ordinal)
            .Select(entry => new InspectedTensor(entry.Name, entry.Type.HeaderName(), entry.Shape, entry.Bytes))];
        return new InspectedFolder(kind, files, entries.Sum(entry => Count(entry, reader)), tensors, facts);
    }

    /// <summary>The numbers a tensor stands for: those of a 4-bit weight, and none for its scales.</summary>
    private static long Count(SafetensorsEntry entry, CheckpointReader? reader)
    {
        int part = entry.Name.LastIndexOf(".weight.", StringComparison.Ordinal);
        if (reader is null || (part < 0 && entry.Type != SafetensorsType.UInt8))
        {
            return entry.Count;
        }

        if (part >= 0 && reader.Tensors.ContainsKey(entry.Name[..(part + ".weight".Length)]))
        {
            return 0;
        }

        return reader.TryGetNf4(entry.Name, out Nf4Entry? nf4) ? nf4!.Shape.Count : entry.Count;
    }

    private static InspectedFacts Metadata(SafetensorsFile file) => new("metadata", [.. file.Metadata.Select(pair => (pair.Key, (object?)pair.Value))]);

    /// <summary>The simple fields of a JSON object, or null where there is no such file.</summary>
    private static InspectedFacts? ReadJson(string file)
    {
        if (!File.Exists(file))
        {
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file));
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new InspectedFacts("", [.. document.RootElement.EnumerateObject().Select(field => (field.Name, Value(field.Value)))])
                : throw new CliException($"{file}: this is not a JSON object.");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CliException($"{file}: this is not valid JSON: {CommandLineApp.OneLine(error.Message)}", error);
        }
    }

    /// <summary>As it is, but for arrays and for numbers that JSON has no words for.</summary>
    private static object Value(GgufValue value) => value.Type == GgufValueType.Array || value.Value is float.NaN or float.PositiveInfinity or float.NegativeInfinity
        or double.NaN or double.PositiveInfinity or double.NegativeInfinity ? value.ToString() : value.Value;

    private static object? Value(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => element.TryGetInt64(out long whole) ? whole : element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null => null,
        JsonValueKind.Array when element.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) => element.EnumerateArray().Select(item => item.GetString()!).ToArray(),
        _ => element.GetRawText(),
    };
}
