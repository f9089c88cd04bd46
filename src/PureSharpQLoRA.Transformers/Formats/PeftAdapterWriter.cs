namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Declares an adapted linear layer that is to be written.</summary>
/// <param name="Path">Its path in the model, such as "model.layers.0.self_attn.q_proj".</param>
/// <param name="Inputs">Columns of A.</param>
/// <param name="Outputs">Rows of B.</param>
public sealed record PeftModuleDeclaration(string Path, int Inputs, int Outputs);

/// <summary>
/// Writes a LoRA adapter in PEFT's format, in fp32, as a stream. Both files appear only when they are complete, the weights before the configuration.
/// </summary>
public sealed class PeftAdapterWriter : IDisposable
{
    private readonly string _folder;
    private readonly AdapterConfig _config;
    private readonly SafetensorsWriter _writer;

    /// <summary>Begins an adapter; its rank in each module is what the configuration says.</summary>
    /// <param name="folder">Created where it is missing; an adapter that is there already is replaced.</param>
    /// <param name="config">The configuration.</param>
    /// <param name="modules">The adapted layers.</param>
    /// <exception cref="ArgumentException">A path appears twice, no targets are named, or there are modules to save.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public PeftAdapterWriter(string folder, AdapterConfig config, IEnumerable<PeftModuleDeclaration> modules)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(modules);
        if (config.TargetModules.Count == 0 && config.TargetModulesPattern is null)
        {
            throw new ArgumentException("The configuration names no target modules.", nameof(config));
        }

        if (config.ModulesToSave.Count > 0)
        {
            throw new ArgumentException("Modules that were trained in full (modules_to_save) cannot be written.", nameof(config));
        }

        List<SafetensorsDeclaration> tensors = [];
        foreach (PeftModuleDeclaration module in modules)
        {
            int rank = config.RankOf(module.Path);
            tensors.Add(new(PeftKeys.A(module.Path), SafetensorsType.Float32, rank, module.Inputs));
            tensors.Add(new(PeftKeys.B(module.Path), SafetensorsType.Float32, module.Outputs, rank));
            if (config.UseDora)
            {
                tensors.Add(new(PeftKeys.Magnitude(module.Path), SafetensorsType.Float32, module.Outputs));
            }
        }

        (_folder, _config) = (folder, config);
        _writer = new SafetensorsWriter(Path.Combine(folder, PeftAdapterFile.WeightsFileName), tensors, new Dictionary<string, string> { ["format"] = "pt" });
    }

    /// <summary>Appends elements of A, row-major [rank, inputs].</summary>
    /// <exception cref="ArgumentException">The module was not declared, or A is full.</exception>
    public void WriteA(string path, ReadOnlySpan<float> elements) => _writer.Write(PeftKeys.A(path), elements);

    /// <summary>Appends elements of B, row-major [outputs, rank].</summary>
    /// <exception cref="ArgumentException">The module was not declared, or B is full.</exception>
    public void WriteB(string path, ReadOnlySpan<float> elements) => _writer.Write(PeftKeys.B(path), elements);

    /// <summary>Appends magnitudes, [outputs].</summary>
    /// <exception cref="ArgumentException">The module was not declared, the configuration has no DoRA, or all are written.</exception>
    public void WriteMagnitude(string path, ReadOnlySpan<float> elements) => _writer.Write(PeftKeys.Magnitude(path), elements);

    /// <summary>Brings both files to the disk and gives them their names.</summary>
    /// <exception cref="InvalidOperationException">Elements are missing.</exception>
    public void Complete()
    {
        _writer.Complete();
        AtomicFile.WriteText(Path.Combine(_folder, AdapterConfig.FileName), _config.ToJson());
    }

    /// <summary>Ends writing; without <see cref="Complete"/>, what was there before stays.</summary>
    public void Dispose() => _writer.Dispose();
}
