namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// Writes an adapter of PEFT as a GGUF adapter for a base in GGUF. Its readers scale B·A by alpha / rank with one alpha for all modules, so the alpha that is written
/// is that of the first module's scale, and what another module needs beyond it goes into its B.
/// </summary>
public static class GgufAdapterExporter
{
    /// <summary>Exports an adapter.</summary>
    /// <param name="adapterFolder">The adapter.</param>
    /// <param name="model">Its base.</param>
    /// <param name="target">The new file.</param>
    /// <param name="type">How matrices are stored: F32, F16 or BF16.</param>
    /// <exception cref="WeightFormatException">A file is damaged, or GGUF has no place for what the adapter does.</exception>
    /// <exception cref="IOException">The disk is full, or the folder cannot be written.</exception>
    public static GgufExportReport Export(string adapterFolder, GgufModelInfo model, string target, GgufTensorType type = GgufTensorType.Float32)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (type is not (GgufTensorType.Float32 or GgufTensorType.Float16 or GgufTensorType.BFloat16))
        {
            throw new ArgumentException($"Adapters are stored as F32, F16 or BF16, not as {type.Name()}.", nameof(type));
        }

        using PeftAdapterFile adapter = PeftAdapterFile.Open(adapterFolder);
        if (adapter.Config.UseDora)
        {
            throw new WeightFormatException(adapterFolder, "the adapter uses DoRA, for which GGUF adapters have no place; export the merged model instead (without --adapter-only)");
        }

        if (adapter.SavedTensors.Count > 0)
        {
            throw new WeightFormatException(adapterFolder, $"the adapter replaces whole weights (modules_to_save), for which GGUF adapters have no place: {adapter.SavedTensors[0].Name}");
        }

        PeftModule first = adapter.Modules[0];
        double alpha = adapter.Config.ScaleOf(first.Path) * first.Rank;
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", model.Architecture);
        metadata.Add("general.type", "adapter");
        metadata.Add("adapter.type", "lora");
        metadata.Add("general.name", model.Name + " LoRA");
        metadata.Add("adapter.lora.alpha", (float)alpha);

        List<GgufDeclaration> declarations = [];
        foreach (PeftModule module in adapter.Modules)
        {
            string name = NameOf(adapterFolder, module, model);
            declarations.Add(new GgufDeclaration(name + ".lora_a", type, module.Rank, module.Inputs));
            declarations.Add(new GgufDeclaration(name + ".lora_b", type, module.Outputs, module.Rank));
        }

        using var writer = new GgufWriter(target, metadata, declarations);
        foreach (PeftModule module in adapter.Modules)
        {
            string name = NameOf(adapterFolder, module, model);
            var a = new float[module.Rank * module.Inputs];
            adapter.ReadA(module, a);
            Write(writer, name + ".lora_a", a, type);
            Write(writer, name + ".lora_b", ReadB(adapter, module, model, alpha), type);
        }

        writer.Complete();
        return new GgufExportReport(declarations.Count, writer.DataStart + declarations.Sum(tensor => tensor.Bytes), 0);
    }

    private static string NameOf(string folder, PeftModule module, GgufModelInfo model) => GgufNames.ToGguf(module.Path + ".weight")
        ?? throw new WeightFormatException(folder, $"GGUF's {model.Architecture} has no place for the module {module.Path}");

    /// <summary>B with its rows in GGUF's order, times what the common alpha lacks.</summary>
    private static float[] ReadB(PeftAdapterFile adapter, PeftModule module, GgufModelInfo model, double alpha)
    {
        var b = new float[module.Outputs * module.Rank];
        adapter.ReadB(module, b);
        double factor = adapter.Config.ScaleOf(module.Path) / (alpha / module.Rank);
        if (Math.Abs(factor - 1) > 1e-7)
        {
            for (int i = 0; i < b.Length; i++)
            {
                b[i] *= (float)factor;
            }
        }

        int heads = GgufNames.PermutedHeads(module.Path, model);
        if (heads == 0)
        {
            return b;
        }

        if (module.Outputs != heads * model.HeadSize)
        {
            throw new WeightFormatException(adapter.Folder, $"the adapter is for another model: {module.Path} has {module.Outputs} outputs, where {heads} heads of {model.HeadSize} were expected");
        }

        var permuted = new float[b.Length];
        for (int row = 0; row < module.Outputs; row++)
        {
            b.AsSpan((int)GgufNames.SourceRow(row, model.HeadSize) * module.Rank, module.Rank).CopyTo(permuted.AsSpan(row * module.Rank));
        }

        return permuted;
    }

    private static void Write(GgufWriter writer, string name, float[] values, GgufTensorType type)
    {
        var bytes = new byte[type.Bytes(values.Length)];
        GgufCodec.Encode(type, values, bytes);
        writer.Write(name, bytes);
    }
}
