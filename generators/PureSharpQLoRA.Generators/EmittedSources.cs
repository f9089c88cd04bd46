using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators;

/// <summary>The code of one model, or why there is none.</summary>
/// <param name="ModelType">The full name of the model's class.</param>
/// <param name="Spec">The model, or null where the config has errors.</param>
/// <param name="Files">The files; none where there are errors.</param>
/// <param name="Diagnostics">Errors and warnings.</param>
public sealed record EmittedSources(
    string ModelType, ModelSpec? Spec, EquatableArray<EmittedSource> Files, EquatableArray<ModelDiagnostic> Diagnostics)
{
    /// <summary>Whether there is code.</summary>
    public bool Succeeded => Spec is not null;
}
