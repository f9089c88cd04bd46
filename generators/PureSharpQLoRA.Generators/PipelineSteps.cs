using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Generators;

/// <summary>A config file of the compilation; its text is null where it cannot be read.</summary>
internal sealed record ConfigFile(string Path, string? Text, ItemMetadata Metadata);

/// <summary>A parsed config. Has no positions but those of findings, so that a change of layout in the file ends here.</summary>
internal sealed record ParsedModel(string Path, TypeNames Names, ModelOptions Options, ModelSpec? Spec, EquatableArray<ModelDiagnostic> Diagnostics);

/// <summary>A model with the settings of its memory plan.</summary>
internal sealed record PlannedModel(ParsedModel Parsed, PlanOptions Options, EquatableArray<ModelDiagnostic> Diagnostics);
