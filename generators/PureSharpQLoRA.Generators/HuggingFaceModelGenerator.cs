using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Generators;

/// <summary>Turns each HuggingFaceModel item of a project, a config.json, into a typed model.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class HuggingFaceModelGenerator : IIncrementalGenerator
{
    internal const string ConfigFileStep = "ConfigFile";
    internal const string ParsedModelStep = "ParsedModel";
    internal const string PlannedModelStep = "PlannedModel";
    internal const string DuplicatesStep = "Duplicates";
    internal const string SourcesStep = "Sources";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        IncrementalValuesProvider<ConfigFile> files = context.AdditionalTextsProvider
            .Combine(context.AnalyzerConfigOptionsProvider)
            .Select(static (pair, cancellation) => Read(pair.Left, pair.Right, cancellation))
            .Where(static file => file is not null)
            .Select(static (file, _) => file!)
            .WithTrackingName(ConfigFileStep);
        IncrementalValuesProvider<ParsedModel> parsed = files.Select(static (file, _) => Parse(file)).WithTrackingName(ParsedModelStep);
        IncrementalValuesProvider<PlannedModel> planned = parsed
            .Select(static (model, _) => ModelSourceEmitter.Plan(model))
            .WithTrackingName(PlannedModelStep);
        IncrementalValueProvider<EquatableArray<string>> duplicates = parsed
            .Select(static (model, _) => model.Names.FullName)
            .Collect()
            .Select(static (names, _) => names.GroupBy(name => name).Where(group => group.Count() > 1).Select(group => group.Key).ToEquatableArray())
            .WithTrackingName(DuplicatesStep);
        IncrementalValuesProvider<EmittedSources> sources = planned
            .Combine(duplicates)
            .Select(static (pair, _) => Emit(pair.Left, pair.Right))
            .WithTrackingName(SourcesStep);
        context.RegisterSourceOutput(sources, static (output, model) => Write(output, model));
    }

    private static ConfigFile? Read(AdditionalText file, AnalyzerConfigOptionsProvider options, CancellationToken cancellation) =>
        ItemMetadata.Read(options.GetOptions(file), options.GlobalOptions) is { } metadata
            ? new ConfigFile(file.Path, file.GetText(cancellation)?.ToString(), metadata)
            : null;

    private static ParsedModel Parse(ConfigFile file)
    {
        var bag = new DiagnosticBag(file.Path);
        ModelOptions options = file.Metadata.ToOptions(bag);
        if (file.Text is null)
        {
            bag.Add(Descriptors.Unreadable, default, file.Path);
        }

        return ModelSourceEmitter.Parse(file.Text, file.Path, options, bag);
    }

    private static EmittedSources Emit(PlannedModel planned, EquatableArray<string> duplicates)
    {
        ParsedModel parsed = planned.Parsed;
        if (!duplicates.Contains(parsed.Names.FullName))
        {
            return ModelSourceEmitter.Emit(planned);
        }

        var bag = new DiagnosticBag(parsed.Path);
        bag.Add(Descriptors.DuplicateClass, default, parsed.Names.FullName);
        return new EmittedSources(parsed.Names.FullName, null, [], [.. parsed.Diagnostics, .. bag.ToArray()]);
    }

    private static void Write(SourceProductionContext output, EmittedSources model)
    {
        foreach (ModelDiagnostic diagnostic in model.Diagnostics)
        {
            output.ReportDiagnostic(diagnostic.ToDiagnostic());
        }

        foreach (EmittedSource file in model.Files)
        {
            output.AddSource(file.HintName, SourceText.From(file.Text, Encoding.UTF8));
        }
    }
}
