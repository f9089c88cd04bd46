using System.Diagnostics;
using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>What llama.cpp is asked for.</summary>
/// <param name="Model">A GGUF file.</param>
/// <param name="Prompt">The text that it tokenises itself.</param>
/// <param name="Count">Tokens to generate, greedily.</param>
/// <param name="Lora">A GGUF adapter, or null.</param>
internal sealed record LlamaJob(string Model, string Prompt, int Count, string? Lora = null);

/// <summary>What it answered.</summary>
internal sealed record LlamaAnswer(int[] Prompt, int[] Ids);

/// <summary>
/// llama.cpp, as npm's node-llama-cpp brings it with its prebuilt binary. It is looked for where PURESHARP_NODE_MODULES points to; `.ci/run` installs it there.
/// </summary>
internal static class LlamaJudge
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Runs jobs, in one process; skips the test where llama.cpp is not there.</summary>
    public static LlamaAnswer[] Run(params LlamaJob[] jobs)
    {
        string? modules = Environment.GetEnvironmentVariable("PURESHARP_NODE_MODULES");
        if (modules is null || !Directory.Exists(Path.Combine(modules, "node-llama-cpp")))
        {
            Assert.Skip("llama.cpp is not there: install npm's node-llama-cpp and set PURESHARP_NODE_MODULES to its node_modules, or run .ci/run.");
        }

        var start = new ProcessStartInfo("node", [TestFiles.InRepository("tests", "PureSharpQLoRA.Cli.Tests", "Data", "llama-judge.mjs"), modules])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        process.StandardInput.Write(JsonSerializer.Serialize(jobs, Json));
        process.StandardInput.Close();
        if (!process.WaitForExit(TimeSpan.FromMinutes(2)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail("llama.cpp did not answer within two minutes.");
        }

        Assert.True(process.ExitCode == 0, $"llama.cpp ended with {process.ExitCode}:\n{error.Result}");
        using JsonDocument document = JsonDocument.Parse(output.Result);
        return [.. document.RootElement.EnumerateArray().Select(answer =>
        {
            Assert.False(answer.TryGetProperty("error", out JsonElement message), $"{message}\n{error.Result}");
            return new LlamaAnswer(Ids(answer.GetProperty("prompt")), Ids(answer.GetProperty("ids")));
        })];
    }

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];
}
