using System.Text.Json.Nodes;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests;

/// <summary>Every supported component of the pipeline, against ids and texts of the reference library (see Data/variants/README.md).</summary>
public class PipelineVariantTests
{
    public static TheoryData<string> Variants => [.. Directory.EnumerateFiles(GoldenFile.Folder("variants"), "*.json").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Variants))]
    public void Ids_and_texts_are_those_of_the_reference_library(string variant)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        JsonObject description = JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenFile.Folder("variants"), $"{variant}.json")))!.AsObject();
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenFile.Folder((string)description["base"]!), "tokenizer.json")))!.AsObject();
        JsonPatch.Apply(json, description["patch"]!.AsObject());
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());

        Tokenizer tokenizer = Tokenizer.Load(folder.Path);
        List<GoldenLine> lines = GoldenFile.Read("variants", $"{variant}.jsonl");
        TokenizerGoldenTests.AssertEncodes(tokenizer, lines);
        TokenizerGoldenTests.AssertDecodes(tokenizer, lines);
        foreach (GoldenLine line in lines)
        {
            StreamingDecoder decoder = tokenizer.CreateStreamingDecoder();
            Assert.Equal(line.Decoded, string.Concat(line.Ids.Select(decoder.Append)) + decoder.Flush());
        }
    }
}
