using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// The weights of a model folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names, found by tensor name.
/// Reading is thread-safe.
/// </summary>
public sealed class CheckpointReader : IDisposable
{
    /// <summary>The file of a model in one piece.</summary>
    public const string SingleFileName = "model.safetensors";

    /// <summary>The file that says which shard holds which tensor.</summary>
    public const string IndexFileName = "model.safetensors.index.json";

    private readonly List<IWeightFile> _files = [];
    private readonly Dictionary<string, CheckpointTensor> _tensors = new(StringComparer.Ordinal);

    private CheckpointReader(string folder)
    {
        Folder = folder;
    }

    /// <summary>The folder it was opened by.</summary>
    public string Folder { get; }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    /// <summary>The files, in the order of their names.</summary>
    public IReadOnlyList<IWeightFile> Files => _files;

    /// <summary>Opens all weight files of a folder and checks their headers.</summary>
    /// <param name="folder">A model folder, with safetensors or with one GGUF file, or a GGUF file itself.</param>
    /// <exception cref="WeightFormatException">The folder, its weights or a shard are missing, or a file is damaged.</exception>
    public static CheckpointReader Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        string? gguf = GgufModel.FindFile(folder);
        if (gguf is null && !Directory.Exists(folder))
        {
            throw new WeightFormatException(folder, File.Exists(folder) ? "this is a file; name the model's folder" : "the model folder does not exist");
        }

        var reader = new CheckpointReader(folder);
        try
        {
            if (gguf is not null)
            {
                reader.AddGguf(new GgufWeights(GgufFile.Open(gguf)));
            }
            else if (File.Exists(Path.Combine(folder, SingleFileName)))
            {
                reader.AddSingle(SafetensorsFile.Open(Path.Combine(folder, SingleFileName)));
            }
            else if (File.Exists(Path.Combine(folder, IndexFileName)))
            {
                reader.AddShards(Path.Combine(folder, IndexFileName));
            }
            else
            {
                throw new WeightFormatException(folder, WhatIsThere(folder));
            }

            return reader;
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that name.</summary>
    /// <exception cref="WeightFormatException">The model has none.</exception>
    public CheckpointTensor Find(string name) =>
        _tensors.TryGetValue(name, out CheckpointTensor? tensor) ? tensor : throw new WeightFormatException(Folder, "the model has no such tensor", name);

    /// <summary>Reads elements of a floating-point tensor as fp32; see <see cref="SafetensorsFile.ReadFloats"/>.</summary>
    /// <exception cref="WeightFormatException">There is no such tensor, or it holds no floating-point numbers.</exception>
    public void ReadFloats(string name, long firstElement, Span<float> target) => Find(name).ReadFloats(firstElement, target);

    /// <summary>Whether a weight is stored as NF4 codes by bitsandbytes, which its quant_state says, and how.</summary>
    /// <param name="name">The name of the weight, ending in `.weight`.</param>
    /// <param name="entry">The parts of the quantised weight.</param>
    /// <exception cref="WeightFormatException">It is quantised in a way that is not supported, or parts are missing or contradict each other.</exception>
    public bool TryGetNf4(string name, out Nf4Entry? entry)
    {
        entry = null;
        if (_tensors.TryGetValue(Bnb4BitKeys.QuantStateNf4(name), out CheckpointTensor? state))
        {
            entry = Nf4Entry.Read(this, name, state);
            return true;
        }

        if (_tensors.TryGetValue(Bnb4BitKeys.QuantStateFp4(name), out state))
        {
            throw new WeightFormatException(
                state.File.Path, "it is stored as FP4, which is not supported; use the original model, or one quantised with bnb_4bit_quant_type nf4", name);
        }

        return false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IWeightFile file in _files)
        {
            file.Dispose();
        }
    }

    private static string WhatIsThere(string folder)
    {
        string[] names = [.. Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        string? other = names.FirstOrDefault(name => name.EndsWith(".bin", StringComparison.Ordinal) && name.StartsWith("pytorch_model", StringComparison.Ordinal))
            ?? names.FirstOrDefault(name => name.EndsWith(".pth", StringComparison.Ordinal) || name.EndsWith(".pt", StringComparison.Ordinal));
        if (other is not null)
        {
            return $"the folder has only pickled weights ({other}); get the model's safetensors files, or save it again with safe_serialization=True";
        }

        if (names.Count(name => name.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase)) > 1)
        {
            return "the folder has several GGUF files and no safetensors; name one of the files";
        }

        if (names.Contains("adapter_model.safetensors"))
        {
            return $"this folder holds an adapter, not a model; name the folder of its base model";
        }

        other = names.FirstOrDefault(name => name.EndsWith(".safetensors", StringComparison.Ordinal));
        return other is not null
            ? $"the folder has {other} but neither {SingleFileName} nor {IndexFileName}; was the download cut off?"
            : $"the folder has neither {SingleFileName} nor {IndexFileName}";
    }

    private void AddSingle(SafetensorsFile file)
    {
        _files.Add(file);
        foreach (SafetensorsEntry entry in file.Entries.Values)
        {
            _tensors.Add(entry.Name, new CheckpointTensor(file, entry));
        }
    }

    private void AddGguf(GgufWeights file)
    {
        _files.Add(file);
        foreach (SafetensorsEntry entry in file.Entries)
        {
            _tensors.Add(entry.Name, new CheckpointTensor(file, entry));
        }
    }

    private void AddShards(string index)
    {
        Dictionary<string, string> map = JsonFile.Read(index, root => ReadWeightMap(index, root));
        string[] names = [.. map.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        string[] missing = [.. names.Where(name => !File.Exists(Path.Combine(Folder, name)))];
        if (missing.Length > 0)
        {
            string more = missing.Length > 3 ? $" and {missing.Length - 3} more" : "";
            throw new WeightFormatException(Folder, $"{missing.Length} of {names.Length} weight files are missing: {string.Join(", ", missing.Take(3))}{more}");
        }

        Dictionary<string, SafetensorsFile> shards = new(StringComparer.Ordinal);
        foreach (string name in names)
        {
            SafetensorsFile shard = SafetensorsFile.Open(Path.Combine(Folder, name));
            _files.Add(shard);
            shards.Add(name, shard);
        }

        foreach ((string tensor, string name) in map)
        {
            if (!shards[name].Entries.TryGetValue(tensor, out SafetensorsEntry? entry))
            {
                throw new WeightFormatException(index, $"the index says {name} holds it, but that file doesn't", tensor);
            }

            _tensors.Add(tensor, new CheckpointTensor(shards[name], entry));
        }
    }

    private static Dictionary<string, string> ReadWeightMap(string index, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("weight_map", out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
        {
            throw new WeightFormatException(index, "the index has no object 'weight_map'");
        }

        Dictionary<string, string> files = new(StringComparer.Ordinal);
        foreach (JsonProperty entry in map.EnumerateObject())
        {
            string? name = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
            if (string.IsNullOrEmpty(name) || name != Path.GetFileName(name) || name.Contains('\\', StringComparison.Ordinal) || name is "." or "..")
            {
                throw new WeightFormatException(index, "weight_map must name a file in the same folder", entry.Name);
            }

            if (!files.TryAdd(entry.Name, name))
            {
                throw new WeightFormatException(index, "weight_map names it twice", entry.Name);
            }
        }

        return files.Count > 0 ? files : throw new WeightFormatException(index, "weight_map is empty");
    }
}

/// <summary>A tensor of a checkpoint and the file that holds it.</summary>
/// <param name="File">The file.</param>
/// <param name="Entry">Its place there.</param>
public sealed record CheckpointTensor(IWeightFile File, SafetensorsEntry Entry)
{
    /// <summary>Reads elements as fp32; see <see cref="SafetensorsFile.ReadFloats"/>.</summary>
    public void ReadFloats(long firstElement, Span<float> target) => File.ReadFloats(Entry, firstElement, target);

    /// <summary>Reads bytes as stored; see <see cref="SafetensorsFile.ReadBytes"/>.</summary>
    public void ReadBytes(long firstByte, Span<byte> target) => File.ReadBytes(Entry, firstByte, target);
}
