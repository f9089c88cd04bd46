using System.Text.Json;

namespace PureSharpQLoRA.Text.Tests;

public class TokenizerGoldenTests
{
    private static readonly Tokenizer Stories = Tokenizer.Load(GoldenFile.Folder("stories260K"));

    [Fact]
    public void Ids_are_those_of_the_reference_library() => AssertEncodes(Stories, GoldenFile.Read("stories260K", "goldens.jsonl"));

    [Fact]
    public void Ids_are_those_of_SentencePiece() => AssertEncodes(Stories, GoldenFile.Read("stories260K", "sentencepiece-goldens.jsonl"));

    [Fact]
    public void Texts_decode_as_in_the_reference_library() => AssertDecodes(Stories, GoldenFile.Read("stories260K", "goldens.jsonl"));

    [Fact]
    public void Random_ids_decode_as_in_the_reference_library() => AssertDecodes(Stories, GoldenFile.Read("stories260K", "decode-goldens.jsonl"));

    [Fact]
    public void Streamed_text_is_the_whole_text()
    {
        foreach (GoldenLine line in GoldenFile.Read("stories260K", "goldens.jsonl").Concat(GoldenFile.Read("stories260K", "decode-goldens.jsonl")))
        {
            StreamingDecoder decoder = Stories.CreateStreamingDecoder();
            string streamed = string.Concat(line.Ids.Select(decoder.Append)) + decoder.Flush();
            Assert.Equal(line.Decoded, streamed);
        }
    }

    internal static void AssertEncodes(Tokenizer tokenizer, List<GoldenLine> lines)
    {
        foreach (GoldenLine line in lines)
        {
            int[] ids = tokenizer.Encode(line.Text);
            Assert.True(line.Ids.AsSpan().SequenceEqual(ids),
                $"{JsonSerializer.Serialize(line.Text)}\nexpected {string.Join(' ', line.Ids)}\nactual   {string.Join(' ', ids)}");
        }
    }

    internal static void AssertDecodes(Tokenizer tokenizer, List<GoldenLine> lines)
    {
        foreach (GoldenLine line in lines)
        {
            Assert.Equal(line.Decoded, tokenizer.Decode(line.Ids));
            Assert.Equal(line.Kept, tokenizer.Decode(line.Ids, skipSpecialTokens: false));
        }
    }
}
