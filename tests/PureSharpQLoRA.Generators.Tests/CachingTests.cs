using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PureSharpQLoRA.Generators.Tests;

public class CachingTests
{
    private const string Config = "models/stories260K/config.json";

    private static readonly string[] Steps =
    [
        HuggingFaceModelGenerator.ConfigFileStep, HuggingFaceModelGenerator.ParsedModelStep, HuggingFaceModelGenerator.PlannedModelStep,
        HuggingFaceModelGenerator.DuplicatesStep, HuggingFaceModelGenerator.SourcesStep,
    ];

    [Fact]
    public void First_run_takes_every_step_once()
    {
        GeneratorRunResult result = NewHost().Run();

        foreach (string step in Steps)
        {
            Assert.Equal([IncrementalStepRunReason.New], Reasons(result, step));
        }
    }

    [Fact]
    public void Unrelated_source_edit_leaves_every_step_cached()
    {
        GeneratorHost host = NewHost();
        host.Run();
        SyntaxTree other = CSharpSyntaxTree.ParseText("class Other;", cancellationToken: TestContext.Current.CancellationToken);
        host.Compilation = host.Compilation.AddSyntaxTrees(other);

        AssertNothingRan(host.Run());
    }

    [Fact]
    public void Edit_of_another_additional_file_leaves_every_step_cached()
    {
        GeneratorHost host = NewHost();
        host.Run();
        host.Edit("notes.txt", "changed");

        AssertNothingRan(host.Run());
    }

    [Fact]
    public void Layout_of_the_config_ends_at_the_parsed_model()
    {
        GeneratorHost host = NewHost();
        string before = Text(host.Run());
        host.Edit(Config, Configs.Read("stories260K").Replace("  ", "\t", StringComparison.Ordinal).Replace("\n", "\n\n", StringComparison.Ordinal));

        GeneratorRunResult result = host.Run();

        Assert.Equal([IncrementalStepRunReason.Modified], Reasons(result, HuggingFaceModelGenerator.ConfigFileStep));
        Assert.Equal([IncrementalStepRunReason.Unchanged], Reasons(result, HuggingFaceModelGenerator.ParsedModelStep));
        foreach (string step in Steps.Skip(2))
        {
            Assert.Equal([IncrementalStepRunReason.Cached], Reasons(result, step));
        }

        Assert.Equal(before, Text(result));
    }

    [Fact]
    public void Harmless_member_of_the_config_ends_at_the_parsed_model()
    {
        GeneratorHost host = NewHost();
        host.Run();
        host.Edit(Config, Configs.Change("stories260K", "eos_token_id", "7"));

        GeneratorRunResult result = host.Run();

        Assert.Equal([IncrementalStepRunReason.Unchanged], Reasons(result, HuggingFaceModelGenerator.ParsedModelStep));
        Assert.Equal([IncrementalStepRunReason.Cached], Reasons(result, HuggingFaceModelGenerator.SourcesStep));
    }

    [Fact]
    public void Size_in_the_config_reaches_the_sources()
    {
        GeneratorHost host = NewHost();
        host.Run();
        host.Edit(Config, Configs.Change("stories260K", "vocab_size", "1024"));

        GeneratorRunResult result = host.Run();

        Assert.Equal([IncrementalStepRunReason.Modified], Reasons(result, HuggingFaceModelGenerator.ParsedModelStep));
        Assert.Equal([IncrementalStepRunReason.Cached], Reasons(result, HuggingFaceModelGenerator.DuplicatesStep));
        Assert.Equal([IncrementalStepRunReason.Modified], Reasons(result, HuggingFaceModelGenerator.SourcesStep));
        Assert.Contains("count: 1024", Text(result), StringComparison.Ordinal);
    }

    private static GeneratorHost NewHost() => new(
        new Dictionary<string, Dictionary<string, string>?> { [Config] = [], ["notes.txt"] = null },
        (Config, Configs.Read("stories260K")),
        ("notes.txt", "of no interest"));

    private static void AssertNothingRan(GeneratorRunResult result)
    {
        foreach (string step in Steps)
        {
            Assert.All(
                Reasons(result, step),
                reason => Assert.True(reason is IncrementalStepRunReason.Cached or IncrementalStepRunReason.Unchanged, $"{step}: {reason}"));
        }

        Assert.Equal([IncrementalStepRunReason.Cached], Reasons(result, HuggingFaceModelGenerator.ParsedModelStep));
        Assert.Equal([IncrementalStepRunReason.Cached], Reasons(result, HuggingFaceModelGenerator.SourcesStep));
    }

    private static IncrementalStepRunReason[] Reasons(GeneratorRunResult result, string step) =>
        [.. result.TrackedSteps[step].SelectMany(run => run.Outputs).Select(output => output.Reason)];

    private static string Text(GeneratorRunResult result) => string.Concat(result.GeneratedSources.Select(source => source.SourceText.ToString()));
}
