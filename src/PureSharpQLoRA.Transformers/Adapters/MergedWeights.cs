using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>A weight of a model, and the adapter's share in it.</summary>
/// <param name="Source">Where it is stored; of a 4-bit weight, its codes.</param>
/// <param name="Nf4">How it is stored in 4 bits, or null.</param>
/// <param name="Module">What an adapter adds, or null.</param>
/// <param name="Shape">Its extents, decoded.</param>
/// <param name="Type">Its type, or that of the numbers its codes stand for.</param>
internal sealed record MergedWeight(CheckpointTensor Source, Nf4Entry? Nf4, PeftModule? Module, IReadOnlyList<long> Shape, SafetensorsType Type)
{
    public string Name => Source.Entry.Name;

    public bool IsFloat => Type is SafetensorsType.Float32 or SafetensorsType.Float16 or SafetensorsType.BFloat16;
}

/// <summary>The weights of a model as they are with an adapter, W' = W + s·B·A, read row by row; 4-bit weights are decoded.</summary>
internal static class MergedWeights
{
    /// <summary>The weights of a model in the order of their names; every module of the adapter must have its weight among them.</summary>
    /// <exception cref="WeightFormatException">The adapter is for another model, or replaces whole weights.</exception>
    public static List<MergedWeight> Plan(CheckpointReader source, PeftAdapterFile? adapter)
    {
        Dictionary<string, PeftModule> modules = adapter?.Modules.ToDictionary(module => module.Path + ".weight", StringComparer.Ordinal) ?? [];
        List<MergedWeight> weights = [];
        foreach (CheckpointTensor tensor in source.Tensors.Values.OrderBy(tensor => tensor.Entry.Name, StringComparer.Ordinal))
        {
            string name = tensor.Entry.Name;
            if (IsPartOfQuantizedWeight(source, name))
            {
                continue;
            }

            modules.TryGetValue(name, out PeftModule? module);
            bool quantized = source.TryGetNf4(name, out Nf4Entry? nf4);
            IReadOnlyList<long> shape = quantized ? [nf4!.Shape[0], nf4.Shape[1]] : tensor.Entry.Shape;
            if (module is not null && (shape.Count != 2 || shape[0] != module.Outputs || shape[1] != module.Inputs))
            {
                throw new WeightFormatException(
                    adapter!.Folder,
                    $"the adapter is for another model: {module.Path} maps {module.Inputs} to {module.Outputs} there, but the model's weight is [{string.Join(", ", shape)}]");
            }

            weights.Add(new MergedWeight(tensor, nf4, module, shape, quantized ? TypeOf(nf4!.OriginalType) : tensor.Entry.Type));
        }

        PeftModule? missing = adapter?.Modules.FirstOrDefault(module => !source.Tensors.ContainsKey(module.Path + ".weight"));
        if (missing is not null)
        {
            throw new WeightFormatException(adapter!.Folder, $"the adapter is for another model: {source.Folder} has no weight {missing.Path}.weight");
        }

        return adapter is null || adapter.SavedTensors.Count == 0
            ? weights
            : throw new WeightFormatException(adapter.Folder, $"the adapter replaces whole weights (modules_to_save), which is not supported: {adapter.SavedTensors[0].Name}");
    }

    /// <summary>All values of a 4-bit weight.</summary>
    public static float[] Decode(Nf4Entry entry)
    {
        var codes = new byte[entry.CodeBytes];
        var absmax = new float[entry.Blocks];
        var values = new float[entry.Shape.Count];
        entry.ReadCodes(0, codes);
        entry.ReadAbsmax(absmax);
        Nf4Quantizer.Dequantize(codes, absmax, values);
        return values;
    }

    private static SafetensorsType TypeOf(DataType type) => type switch
    {
        DataType.BFloat16 => SafetensorsType.BFloat16,
        DataType.Float16 => SafetensorsType.Float16,
        _ => SafetensorsType.Float32,
    };

    /// <summary>Whether a tensor belongs to the weight whose codes are stored under the name before it.</summary>
    private static bool IsPartOfQuantizedWeight(CheckpointReader source, string name)
    {
        int at = name.LastIndexOf(".weight.", StringComparison.Ordinal);
        return at >= 0 && source.Tensors.ContainsKey(name[..(at + ".weight".Length)]);
    }
}
