namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Pairs the tensors of an adapter file and holds them against its configuration.</summary>
internal sealed class PeftModuleCollector(SafetensorsFile file, AdapterConfig config)
{
    private readonly SortedDictionary<string, SafetensorsEntry?[]> _parts = new(StringComparer.Ordinal);
    private readonly List<SafetensorsEntry> _saved = [];

    public (List<PeftModule> Modules, List<SafetensorsEntry> Saved) Collect()
    {
        foreach (SafetensorsEntry entry in file.Entries.Values)
        {
            Sort(entry);
        }

        if (_parts.Count == 0)
        {
            throw new WeightFormatException(file.Path, $"the file has no tensors named like '{PeftKeys.Prefix}...{PeftKeys.ASuffix}'; it is not a LoRA adapter of PEFT");
        }

        List<PeftModule> modules = [];
        foreach ((string path, SafetensorsEntry?[] parts) in _parts)
        {
            modules.Add(Check(path, parts[0], parts[1], parts[2]));
        }

        return (modules, _saved);
    }

    private void Sort(SafetensorsEntry entry)
    {
        string name = entry.Name;
        int part = -1;
        string suffix = "";
        foreach ((int index, string candidate) in new[]
        {
            (0, PeftKeys.ASuffix), (1, PeftKeys.BSuffix), (2, PeftKeys.MagnitudeSuffix), (2, PeftKeys.MagnitudeSuffix + ".weight"),
        })
        {
            if (name.EndsWith(candidate, StringComparison.Ordinal))
            {
                (part, suffix) = (index, candidate);
            }
        }

        bool isPrefixed = name.StartsWith(PeftKeys.Prefix, StringComparison.Ordinal);
        if (part >= 0 && isPrefixed && name.Length > PeftKeys.Prefix.Length + suffix.Length)
        {
            string path = name[PeftKeys.Prefix.Length..^suffix.Length];
            if (!_parts.TryGetValue(path, out SafetensorsEntry?[]? parts))
            {
                _parts.Add(path, parts = new SafetensorsEntry?[3]);
            }

            parts[part] = parts[part] is null ? entry : throw new WeightFormatException(file.Path, "the module has two of these", name, entry.Offset);
        }
        else if (isPrefixed && !name.Contains(".lora_", StringComparison.Ordinal) && IsSaved(name))
        {
            _saved.Add(entry);
        }
        else
        {
            throw new WeightFormatException(
                file.Path, "this is no part of a LoRA adapter on linear layers, nor of a module in modules_to_save; it is not supported", name, entry.Offset);
        }
    }

    private bool IsSaved(string name)
    {
        foreach (string module in config.ModulesToSave)
        {
            if (name.Contains($".{module}.", StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private PeftModule Check(string path, SafetensorsEntry? a, SafetensorsEntry? b, SafetensorsEntry? magnitude)
    {
        if (a is null || b is null)
        {
            string missing = a is null ? PeftKeys.A(path) : PeftKeys.B(path);
            throw new WeightFormatException(file.Path, $"its partner '{missing}' is missing", (a ?? b ?? magnitude)!.Name);
        }

        foreach (SafetensorsEntry matrix in new[] { a, b })
        {
            if (matrix.Shape.Count != 2 || matrix.Shape.Any(extent => extent is 0 or > int.MaxValue))
            {
                throw new WeightFormatException(file.Path, $"it is {matrix} where a matrix was expected", matrix.Name, matrix.Offset);
            }
        }

        long rank = a.Shape[0];
        if (b.Shape[1] != rank)
        {
            throw new WeightFormatException(file.Path, $"A is {a} but B is {b}; A's rows and B's columns must both be the rank", b.Name, b.Offset);
        }

        if (config.RankOf(path) != rank)
        {
            throw new WeightFormatException(file.Path, $"its rank is {rank}, but {AdapterConfig.FileName} says {config.RankOf(path)} (r or rank_pattern)", a.Name, a.Offset);
        }

        if (config.UseDora != (magnitude is not null))
        {
            string problem = config.UseDora ? $"use_dora is true but '{PeftKeys.Magnitude(path)}' is missing" : "use_dora is false but the module has magnitudes";
            throw new WeightFormatException(file.Path, problem, (magnitude ?? a).Name);
        }

        // PEFT has written it both as a vector and as a column.
        if (magnitude is not null && magnitude.Count != b.Shape[0])
        {
            throw new WeightFormatException(file.Path, $"it is {magnitude} where {b.Shape[0]} magnitudes were expected", magnitude.Name, magnitude.Offset);
        }

        return new PeftModule(path, (int)a.Shape[1], (int)b.Shape[0], (int)rank, a, b, magnitude);
    }
}
