using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests;

public class ByteLevelTests
{
    [Fact]
    public void Training_gives_the_very_files_in_the_repository()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        BytePairTrainer.Train(Documents(), BytePairTrainerTests.Options).Save(folder.Path);
        foreach (string file in (string[])["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
        {
            Golden.Match(File.ReadAllText(folder.File(file)), Path.Combine(GoldenFile.Folder("byte-level"), file));
        }
    }

    [Fact]
    public void Ids_and_texts_are_those_of_the_reference_library()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenFile.Folder("byte-level"));
        TokenizerGoldenTests.AssertEncodes(tokenizer, GoldenFile.Read("byte-level", "goldens.jsonl"));
        TokenizerGoldenTests.AssertDecodes(tokenizer, GoldenFile.Read("byte-level", "goldens.jsonl"));
        TokenizerGoldenTests.AssertDecodes(tokenizer, GoldenFile.Read("byte-level", "decode-goldens.jsonl"));
    }

    [Fact]
    public void Streamed_text_is_the_whole_text()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenFile.Folder("byte-level"));
        foreach (GoldenLine line in GoldenFile.Read("byte-level", "decode-goldens.jsonl"))
        {
            StreamingDecoder decoder = tokenizer.CreateStreamingDecoder();
            Assert.Equal(line.Decoded, string.Concat(line.Ids.Select(decoder.Append)) + decoder.Flush());
        }
    }

    [Fact]
    public void Every_code_point_survives_the_round_trip()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenFile.Folder("byte-level"));
        for (int plane = 0; plane < 17; plane++)
        {
            string text = string.Concat(Enumerable.Range(plane << 16, 0x10000).Where(value => value is < 0xD800 or > 0xDFFF).Select(char.ConvertFromUtf32));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    internal static string[] Documents() => [.. File.ReadAllText(Path.Combine(GoldenFile.Folder("byte-level"), "text.txt")).Replace("\r\n", "\n", StringComparison.Ordinal).Split("\n\n")];
}
