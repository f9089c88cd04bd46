using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Generators.Tests;

/// <summary>The configs of published models that the tests use; Data/MODEL/config.json.</summary>
internal static class Configs
{
    public static readonly string[] Models =
    [
        "Llama-2-7b", "Llama-3.1-8B", "Llama-3.2-1B", "TinyLlama-1.1B", "Mistral-7B-v0.1", "Mistral-7B-v0.3",
        "Qwen2.5-0.5B", "Qwen3-0.6B", "SmolLM-135M", "SmolLM3-3B", "stories260K", "stories260K-bnb-4bit-dq",
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

    /// <summary>A published config with one member, on a line of its own, changed or added; null removes it.</summary>
    public static string Change(string model, string member, string? json) => ChangeText(Read(model), member, json);

    /// <summary>As <see cref="Change"/>, on a config's text. A new member goes on the first line, so that the others keep theirs.</summary>
    public static string ChangeText(string text, string member, string? json)
    {
        string[] lines = text.Split('\n');
        int at = Array.FindIndex(lines, line => line.StartsWith($"  \"{member}\":", StringComparison.Ordinal));
        if (json is null)
        {
            Assert.True(at >= 0);
            if (!lines[at].EndsWith(','))
            {
                lines[at - 1] = lines[at - 1].TrimEnd(',');
            }

            return string.Join('\n', lines.Where((_, line) => line != at));
        }

        if (at >= 0)
        {
            lines[at] = $"  \"{member}\": {json}" + (lines[at].EndsWith(',') ? "," : "");
        }
        else
        {
            lines[0] = $"{{\"{member}\": {json}, " + lines[0][1..];
        }

        return string.Join('\n', lines);
    }
}
