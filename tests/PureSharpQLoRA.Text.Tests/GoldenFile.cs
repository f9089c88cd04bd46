using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests;

/// <summary>One line of a golden file; fields that a file does not have are null.</summary>
internal sealed record GoldenLine(string Text, int[] Ids, string Decoded, string Kept);

internal static class GoldenFile
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNameCaseInsensitive = true };

    public static string Folder(string name) => TestFiles.InRepository("tests", "PureSharpQLoRA.Text.Tests", "Data", name);

    public static List<GoldenLine> Read(string folder, string file)
    {
        List<GoldenLine> lines = [.. File.ReadLines(Path.Combine(Folder(folder), file)).Select(line => JsonSerializer.Deserialize<GoldenLine>(line, Options)!)];
        Assert.NotEmpty(lines);
        return lines;
    }
}
