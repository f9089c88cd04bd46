using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;
using PureSharpQLoRA.Generators.Planning;

namespace PureSharpQLoRA.Generators;

/// <summary>Emits a model's code from its config.json, for the generator and for hosts that have no project.</summary>
public static class ModelSourceEmitter
{
    /// <summary>The code of the model that a config describes.</summary>
    /// <param name="configJson">The text of config.json.</param>
    /// <param name="path">Its path, for messages and for the class name where the options have none.</param>
    /// <param name="options">Names and memory settings.</param>
    public static EmittedSources Emit(string configJson, string path, ModelOptions options)
    {
        var bag = new DiagnosticBag(path);
        ParsedModel parsed = Parse(configJson, path, options, bag);
        return Emit(Plan(parsed));
    }

    /// <summary>First step: the model, or what is wrong with its config or options.</summary>
    internal static ParsedModel Parse(string? configJson, string path, ModelOptions options, DiagnosticBag bag)
    {
        TypeNames names = ReadNames(options, path, bag);
        ModelSpec? spec = configJson is null ? null : ConfigParser.Parse(configJson, bag);
        return new ParsedModel(path, names, options, bag.HasErrors ? null : spec, bag.ToArray());
    }

    /// <summary>Second step: the settings of the memory plan, and a warning where it is over budget.</summary>
    internal static PlannedModel Plan(ParsedModel parsed)
    {
        var bag = new DiagnosticBag(parsed.Path);
        ModelOptions options = parsed.Options;
        var plan = new PlanOptions
        {
            Length = options.TokensPerStep,
            Rank = options.Rank,
            Checkpointing = options.GradientCheckpointing ? Checkpointing.Full : Checkpointing.None,
            DoubleQuantization = options.DoubleQuantization,
        };
        if (parsed.Spec is { } spec && options.VramBudget is { } budget && BudgetAdvisor.Check(spec, parsed.Names.Model, plan, budget) is { } warning)
        {
            bag.Add(Descriptors.OverBudget, default, warning);
        }

        return new PlannedModel(parsed, plan, bag.ToArray());
    }

    /// <summary>Third step: the files.</summary>
    internal static EmittedSources Emit(PlannedModel planned)
    {
        ParsedModel parsed = planned.Parsed;
        EquatableArray<ModelDiagnostic> diagnostics = [.. parsed.Diagnostics, .. planned.Diagnostics];
        if (parsed.Spec is not { } spec)
        {
            return new EmittedSources(parsed.Names.FullName, null, [], diagnostics);
        }

        TypeNames names = parsed.Names;
        return new EmittedSources(
            names.FullName,
            spec,
            [
                new(names.HintName(names.Block), BlockEmitter.Emit(spec, names)),
                new(names.HintName(names.Model), ModelEmitter.Emit(spec, names)),
                new(names.HintName(names.MemoryPlan), MemoryPlanEmitter.Emit(spec, planned.Options, names)),
            ],
            diagnostics);
    }

    private static TypeNames ReadNames(ModelOptions options, string path, DiagnosticBag bag)
    {
        if (options.ClassName is { } className && !TypeNames.IsClassName(className))
        {
            const string Wanted = "write a C# class name that no type or member of the emitted code has";
            bag.Add(Descriptors.InvalidMetadata, default, nameof(options.ClassName), className, Wanted);
        }

        if (!TypeNames.IsNamespace(options.Namespace))
        {
            bag.Add(Descriptors.InvalidMetadata, default, nameof(options.Namespace), options.Namespace, "write a C# namespace");
        }

        return new TypeNames(options.Namespace, options.ClassName ?? TypeNames.FromFolder(FolderName(path)));
    }

    private static string FolderName(string path)
    {
        string[] parts = path.Split(['/', '\\'], StringSplitOptions.RemoveEmptyEntries);
        return parts.Length > 1 ? parts[parts.Length - 2] : "";
    }
}
