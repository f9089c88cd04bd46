namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>A LoRA adapter in PEFT's format: a folder with `adapter_config.json` and `adapter_model.safetensors`. Reading is thread-safe.</summary>
public sealed class PeftAdapterFile : IDisposable
{
    /// <summary>The name of the weights.</summary>
    public const string WeightsFileName = "adapter_model.safetensors";

    private readonly SafetensorsFile _file;

    private PeftAdapterFile(string folder, AdapterConfig config, SafetensorsFile file, IReadOnlyList<PeftModule> modules, IReadOnlyList<SafetensorsEntry> saved)
    {
        (Folder, Config, _file, Modules, SavedTensors) = (folder, config, file, modules, saved);
    }

    /// <summary>The folder it was opened by.</summary>
    public string Folder { get; }

    /// <summary>The configuration.</summary>
    public AdapterConfig Config { get; }

    /// <summary>The adapted modules, in the order of their paths.</summary>
    public IReadOnlyList<PeftModule> Modules { get; }

    /// <summary>Tensors of <see cref="AdapterConfig.ModulesToSave"/>, under the names they have in the file.</summary>
    public IReadOnlyList<SafetensorsEntry> SavedTensors { get; }

    /// <summary>Opens an adapter and checks its shapes against its configuration.</summary>
    /// <exception cref="WeightFormatException">A file is missing or damaged, the adapter is no LoRA, a matrix lacks its partner, or ranks differ.</exception>
    public static PeftAdapterFile Open(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        if (!Directory.Exists(folder))
        {
            throw new WeightFormatException(folder, "the adapter folder does not exist");
        }

        string weights = Path.Combine(folder, WeightsFileName);
        if (!File.Exists(weights) && File.Exists(Path.Combine(folder, "adapter_model.bin")))
        {
            throw new WeightFormatException(folder, "the adapter has only pickled weights (adapter_model.bin); save it again with safe_serialization=True");
        }

        AdapterConfig config = AdapterConfig.Read(Path.Combine(folder, AdapterConfig.FileName));
        SafetensorsFile file = SafetensorsFile.Open(weights);
        try
        {
            (List<PeftModule> modules, List<SafetensorsEntry> saved) = new PeftModuleCollector(file, config).Collect();
            return new PeftAdapterFile(folder, config, file, modules, saved);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads A of a module.</summary>
    /// <param name="module">A module of this adapter.</param>
    /// <param name="target">[rank · inputs], row-major [rank, inputs].</param>
    public void ReadA(PeftModule module, Span<float> target) => ReadWhole(module, module?.A, target);

    /// <summary>Reads B of a module.</summary>
    /// <param name="module">A module of this adapter.</param>
    /// <param name="target">[outputs · rank], row-major [outputs, rank].</param>
    public void ReadB(PeftModule module, Span<float> target) => ReadWhole(module, module?.B, target);

    /// <summary>Reads the magnitudes of a module.</summary>
    /// <param name="module">A module of this adapter.</param>
    /// <param name="target">[outputs].</param>
    /// <exception cref="ArgumentException">The adapter has none.</exception>
    public void ReadMagnitude(PeftModule module, Span<float> target) => ReadWhole(module, module?.Magnitude, target);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void ReadWhole(PeftModule? module, SafetensorsEntry? entry, Span<float> target)
    {
        ArgumentNullException.ThrowIfNull(module);
        if (entry is null)
        {
            throw new ArgumentException($"The module '{module.Path}' has no magnitudes; the adapter doesn't use DoRA.", nameof(module));
        }

        if (target.Length != entry.Count)
        {
            throw new ArgumentException($"The tensor '{entry.Name}' has {entry.Count} elements, not {target.Length}.", nameof(target));
        }

        _file.ReadFloats(entry, 0, target);
    }
}

/// <summary>An adapted linear layer of an adapter file.</summary>
/// <param name="Path">Its path in the model, such as "model.layers.0.self_attn.q_proj".</param>
/// <param name="Inputs">Columns of A.</param>
/// <param name="Outputs">Rows of B.</param>
/// <param name="Rank">Rows of A and columns of B.</param>
/// <param name="A">Where A is.</param>
/// <param name="B">Where B is.</param>
/// <param name="Magnitude">Where the magnitudes are, with DoRA.</param>
public sealed record PeftModule(string Path, int Inputs, int Outputs, int Rank, SafetensorsEntry A, SafetensorsEntry B, SafetensorsEntry? Magnitude);
