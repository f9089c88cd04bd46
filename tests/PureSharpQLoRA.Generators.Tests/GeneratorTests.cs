using Microsoft.CodeAnalysis;

namespace PureSharpQLoRA.Generators.Tests;

public class GeneratorTests
{
    [Fact]
    public void Emits_what_the_entry_for_hosts_emits()
    {
        EmittedSources expected = Configs.Emit("TinyLlama-1.1B", new() { ClassName = "TinyLlama", Namespace = "My.Models" });

        GeneratorRunResult result = Run("TinyLlama-1.1B", new() { ["ClassName"] = "TinyLlama", ["Namespace"] = "My.Models" });

        Assert.Empty(result.Diagnostics);
        Assert.Equal(
            expected.Files.Select(file => (file.HintName, file.Text)),
            result.GeneratedSources.Select(source => (source.HintName, source.SourceText.ToString())));
    }

    [Fact]
    public void Names_default_to_the_folder_and_the_root_namespace()
    {
        GeneratorRunResult result = Run("SmolLM-135M", []);

        Assert.Equal(
            ["My.App.Models.SmolLM135MBlock.g.cs", "My.App.Models.SmolLM135M.g.cs", "My.App.Models.SmolLM135MMemoryPlan.g.cs"],
            result.GeneratedSources.Select(source => source.HintName));
    }

    [Fact]
    public void Findings_are_compiler_diagnostics_in_the_config()
    {
        var host = GeneratorHost.Uniform([], ("m/config.json", Configs.Change("TinyLlama-1.1B", "hidden_act", "\"gelu\"")));

        GeneratorRunResult result = host.Run();

        Diagnostic diagnostic = Assert.Single(result.Diagnostics);
        FileLinePositionSpan span = diagnostic.Location.GetLineSpan();
        Assert.Equal("PSQ111", diagnostic.Id);
        Assert.Equal(DiagnosticSeverity.Error, diagnostic.Severity);
        Assert.Equal(("m/config.json", 7, 16, 22), (span.Path, span.StartLinePosition.Line, span.StartLinePosition.Character, span.EndLinePosition.Character));
        Assert.Empty(result.GeneratedSources);
    }

    [Theory]
    [InlineData("ClassName", "1st")]
    [InlineData("Namespace", "My..Models")]
    [InlineData("VramBudget", "lots")]
    [InlineData("VramBudget", "-1GiB")]
    [InlineData("TokensPerStep", "0")]
    [InlineData("Rank", "16.5")]
    [InlineData("GradientCheckpointing", "yes")]
    [InlineData("DoubleQuantization", "1")]
    public void Bad_metadata_is_an_error(string name, string value)
    {
        GeneratorRunResult result = Run("stories260K", new() { [name] = value });

        Diagnostic diagnostic = Assert.Single(result.Diagnostics);
        Assert.Equal("PSQ120", diagnostic.Id);
        Assert.Contains($"{name}=\"{value}\"", diagnostic.GetMessage(null), StringComparison.Ordinal);
        Assert.Empty(result.GeneratedSources);
    }

    [Fact]
    public void Two_models_of_one_name_are_an_error_at_both()
    {
        string json = Configs.Read("stories260K");
        var host = GeneratorHost.Uniform(new Dictionary<string, string> { ["ClassName"] = "Tiny" }, ("a/config.json", json), ("b/config.json", json));

        GeneratorRunResult result = host.Run();

        Assert.Equal(["a/config.json", "b/config.json"], result.Diagnostics.Select(diagnostic => diagnostic.Location.GetLineSpan().Path));
        Assert.All(result.Diagnostics, diagnostic => Assert.Equal("PSQ121", diagnostic.Id));
        Assert.Empty(result.GeneratedSources);
    }

    [Fact]
    public void Two_models_stand_side_by_side()
    {
        var host = GeneratorHost.Uniform([], ("a/config.json", Configs.Read("stories260K")), ("b/config.json", Configs.Read("Qwen3-0.6B")));

        Assert.Equal(6, host.Run().GeneratedSources.Length);
    }

    [Fact]
    public void Unreadable_config_is_an_error()
    {
        var host = GeneratorHost.Uniform([], ("gone/config.json", null));

        Assert.Equal("PSQ100", Assert.Single(host.Run().Diagnostics).Id);
    }

    [Fact]
    public void Other_additional_files_are_left_alone()
    {
        var host = GeneratorHost.Uniform(metadata: null, ("other/config.json", "not JSON"));

        GeneratorRunResult result = host.Run();

        Assert.Empty(result.Diagnostics);
        Assert.Empty(result.GeneratedSources);
    }

    [Fact]
    public void Over_budget_is_a_warning_and_the_code_is_emitted()
    {
        GeneratorRunResult result = Run("TinyLlama-1.1B", new() { ["VramBudget"] = "2GiB", ["GradientCheckpointing"] = "false", ["ClassName"] = "TinyLlama" });

        Diagnostic diagnostic = Assert.Single(result.Diagnostics);
        Assert.Equal(("PSQ201", DiagnosticSeverity.Warning), (diagnostic.Id, diagnostic.Severity));
        Assert.Equal(3, result.GeneratedSources.Length);
    }

    private static GeneratorRunResult Run(string model, Dictionary<string, string> metadata) =>
        GeneratorHost.Uniform(metadata, ($"models/{model}/config.json", Configs.Read(model))).Run();
}
