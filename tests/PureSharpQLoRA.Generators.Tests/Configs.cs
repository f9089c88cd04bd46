using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Generators.Tests;

/// <summary>The configs of published models that the tests use; Data/MODEL/config.json.</summary>
internal static class Configs
{
    public static readonly string[] Models =
    [
        "Llama-2-7b", "Llama-3.1-8B", "Llama-3.2-1B", "TinyLlama-1.1B", "Mistral-7B-v0.1", "Mistral-7B-v0.3",
        "Qwen2.5-0.5B", "Qwen3-0.6B", "SmolLM-135M", "stories260K", "stories260K-bnb-4bit-dq",
    ];

    public static string PathOf(string model) => TestFiles.InRepository("tests", "PureSharpQLoRA.Generators.Tests", "Data", model, "config.json");

    public static string Read(string model) => File.ReadAllText(PathOf(model));

    public static EmittedSources Emit(string model, ModelOptions? options = null) =>
        ModelSourceEmitter.Emit(Read(model), $"models/{model}/config.json", options ?? new ModelOptions { Namespace = "My.Models" });

    /// <summary>The model of a config that is known to be good.</summary>
    public static ModelSpec Spec(string model)
    {
        EmittedSources result = Emit(model);
        Assert.Empty(result.Diagnostics);
        return result.Spec!;
    }

    /// <summary>TinyLlama's config with one line of JSON members changed or added; a null value removes the member.</summary>
    public static string Change(string model, string name, string? json)
    {
        string[] lines = Read(model).Split('\n');
        int at = Array.FindIndex(lines, line => line.StartsWith($"  \"{name}\":", StringComparison.Ordinal));
        if (json is null)
        {
            Assert.True(at >= 0);
            lines = [.. lines[..at], .. lines[(at + 1)..]];
        }
        else if (at >= 0)
        {
            lines[at] = $"  \"{name}\": {json}" + (lines[at].EndsWith(',') ? "," : "");
        }
        else
        {
            lines[0] = $"{{ \"{name}\": {json},";
        }

        return string.Join('\n', lines);
    }
}
