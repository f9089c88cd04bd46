using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>Adapters in and out of PEFT's files.</summary>
internal static class AdapterFiles
{
    /// <summary>Loads the adapter of a file into a model and puts it to use.</summary>
    public static Adapter Load(CausalLanguageModel model, string name, PeftAdapterFile file)
    {
        var modules = file.Modules.ToDictionary(module => module.Path, StringComparer.Ordinal);
        CheckModules(model, file);
        AdapterConfig config = file.Config;
        Adapter adapter = model.Adapters.Create(name, Options(config), layer => modules.TryGetValue(layer.Path, out PeftModule? module)
            ? new AdapterSize(module.Rank, (float)config.ScaleOf(layer.Path))
            : null);
        try
        {
            foreach (AdapterModule target in adapter.Modules)
            {
                PeftModule module = modules[target.Layer.Path];
                Fill(model.Backend, target.Weights.A, values => file.ReadA(module, values));
                Fill(model.Backend, target.Weights.B, values => file.ReadB(module, values));
                if (target.Weights.Magnitude is { } magnitude)
                {
                    Fill(model.Backend, magnitude, values => file.ReadMagnitude(module, values));
                }
            }
        }
        catch
        {
            model.Adapters.Remove(name);
            throw;
        }

        model.Adapters.Use(adapter);
        return adapter;
    }

    /// <summary>Writes an adapter.</summary>
    public static void Save(Adapter adapter, string folder, CausalLanguageModel model)
    {
        LoraOptions options = adapter.Options;
        var config = new AdapterConfig
        {
            BaseModelNameOrPath = model.Folder,
            R = options.Rank,
            LoraAlpha = options.Alpha,
            LoraDropout = options.Dropout,
            TargetModules = [.. adapter.Modules.Select(module => LastName(module.Layer.Path)).Distinct()],
            UseRslora = options.UseRsLora,
            UseDora = options.UseDora,
            RankPattern = Deviations(adapter, module => module.Weights.Rank, options.Rank),
            AlphaPattern = Deviations(adapter, module => AlphaOf(module, options), options.Alpha),
        };
        using var writer = new PeftAdapterWriter(
            folder, config, adapter.Modules.Select(module => new PeftModuleDeclaration(module.Layer.Path, module.Layer.Inputs, module.Layer.Outputs)));
        foreach (AdapterModule module in adapter.Modules)
        {
            writer.WriteA(module.Layer.Path, model.Backend.ToArray(module.Weights.A));
            writer.WriteB(module.Layer.Path, model.Backend.ToArray(module.Weights.B));
            if (module.Weights.Magnitude is { } magnitude)
            {
                writer.WriteMagnitude(module.Layer.Path, model.Backend.ToArray(magnitude));
            }
        }

        writer.Complete();
    }

    private static LoraOptions Options(AdapterConfig config) => new()
    {
        Rank = config.R,
        Alpha = config.LoraAlpha,
        Dropout = (float)config.LoraDropout,
        TargetModules = config.TargetModulesPattern is null ? config.TargetModules : [LoraOptions.AllLinear],
        UseRsLora = config.UseRslora,
        UseDora = config.UseDora,
    };

    /// <summary>Every module of the file must be a layer of the model, of the same size.</summary>
    private static void CheckModules(CausalLanguageModel model, PeftAdapterFile file)
    {
        var layers = model.Linears.ToDictionary(layer => layer.Path, StringComparer.Ordinal);
        foreach (PeftModule module in file.Modules)
        {
            if (!layers.TryGetValue(module.Path, out Linear? layer))
            {
                throw new WeightFormatException(file.Folder, $"the adapter is for another model: this one has no linear layer {module.Path}");
            }

            if (layer.Inputs != module.Inputs || layer.Outputs != module.Outputs)
            {
                throw new WeightFormatException(
                    file.Folder,
                    $"the adapter is for another model: {module.Path} maps {module.Inputs} to {module.Outputs} there, {layer.Inputs} to {layer.Outputs} here");
            }
        }

        if (file.SavedTensors.Count > 0)
        {
            throw new WeightFormatException(
                file.Folder, $"the adapter replaces whole weights (modules_to_save), which is not supported: {file.SavedTensors[0].Name}");
        }
    }

    private static void Fill(IBackend backend, Tensor tensor, Action<float[]> read)
    {
        var values = new float[tensor.Shape.Count];
        read(values);
        backend.Upload(values, tensor);
    }

    /// <summary>What PEFT needs to be told about modules whose rank or alpha is not the common one.</summary>
    private static Dictionary<string, T> Deviations<T>(Adapter adapter, Func<AdapterModule, T> value, T common)
        where T : notnull
    {
        var deviations = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach (AdapterModule module in adapter.Modules)
        {
            if (!value(module).Equals(common))
            {
                deviations.Add(module.Layer.Path, value(module));
            }
        }

        return deviations;
    }

    private static double AlphaOf(AdapterModule module, LoraOptions options)
    {
        double rank = module.Weights.Rank;
        double alpha = module.Weights.Scale * (options.UseRsLora ? Math.Sqrt(rank) : rank);

        // The scale is kept in fp32: an alpha within its rounding is the common one.
        return Math.Abs(alpha - options.Alpha) <= 1e-6 * options.Alpha ? options.Alpha : alpha;
    }

    private static string LastName(string path) => path[(path.LastIndexOf('.') + 1)..];
}
