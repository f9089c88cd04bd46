using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>The part of an adapter that belongs to one linear layer.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Weights">A, B and for DoRA the magnitude.</param>
public sealed record AdapterModule(Linear Layer, LowRankAdapter Weights);

/// <summary>A low-rank adapter of a whole model. Its memory belongs to the <see cref="AdapterSet"/> that made it.</summary>
public sealed class Adapter
{
    private readonly TensorScope _scope;

    internal Adapter(string name, LoraOptions options, TensorScope scope, IReadOnlyList<AdapterModule> modules)
    {
        (Name, Options, _scope, Modules) = (name, options, scope, modules);
        var parameters = new List<Parameter>(3 * modules.Count);
        foreach (AdapterModule module in modules)
        {
            parameters.Add(new Parameter(module.Layer.Path + ".lora_A.weight", module.Weights.A, HasWeightDecay: true));
            parameters.Add(new Parameter(module.Layer.Path + ".lora_B.weight", module.Weights.B, HasWeightDecay: true) { IsLoraB = true });
            if (module.Weights.Magnitude is { } magnitude)
            {
                parameters.Add(new Parameter(module.Layer.Path + ".lora_magnitude_vector", magnitude, HasWeightDecay: true));
            }
        }

        Parameters = parameters;
    }

    /// <summary>What the caller calls it.</summary>
    public string Name { get; }

    /// <summary>How it was built.</summary>
    public LoraOptions Options { get; }

    /// <summary>The adapted layers, in the order of the model.</summary>
    public IReadOnlyList<AdapterModule> Modules { get; }

    /// <summary>All its weights, named as PEFT names them, without the prefix "base_model.model.".</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    internal void Release() => _scope.Dispose();
}
