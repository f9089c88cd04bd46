using System.Diagnostics;

namespace PureSharpQLoRA.Text.Tests;

public class TokenizerTests
{
    private static readonly Tokenizer Stories = Tokenizer.Load(GoldenFile.Folder("stories260K"));

    [Fact]
    public void Special_tokens_are_known()
    {
        Assert.Equal((512, 1, 2, 0), (Stories.VocabularySize, Stories.BosId, Stories.EosId, Stories.UnknownId));
        Assert.Null(Stories.PadId);
        Assert.True(Stories.IsSpecial(1));
        Assert.False(Stories.IsSpecial(403));
        Assert.False(Stories.IsSpecial(512));
        Assert.Equal("</s>", Stories.TokenText(2));
        Assert.Equal(2, Stories.TokenId("</s>"));
        Assert.Null(Stories.TokenText(-1));
        Assert.Null(Stories.TokenId("no such token"));
    }

    [Fact]
    public void Special_tokens_are_added_only_when_asked_for()
    {
        Assert.Equal([1, 403], Stories.Encode("Once"));
        Assert.Equal([403], Stories.Encode("Once", addSpecialTokens: false));
        var ids = new List<int> { 7 };
        Stories.Encode("Once", ids, addSpecialTokens: false);
        Assert.Equal([7, 403], ids);
    }

    [Fact]
    public void Lone_surrogates_become_the_replacement_character()
    {
        Assert.Equal(Stories.Encode("a\uFFFDb"), Stories.Encode("a\uD800b"));
        Assert.Equal(Stories.Encode("\uFFFD"), Stories.Encode("\uDC00"));
        Assert.Equal(Stories.Encode("😀\uFFFD"), Stories.Encode("😀\uD83D"));
    }

    [Fact]
    public void Every_code_point_but_the_visible_space_survives_the_round_trip()
    {
        for (int plane = 0; plane < 17; plane++)
        {
            string text = string.Concat(Enumerable.Range(plane << 16, 0x10000).Where(value => value is < 0xD800 or > 0xDFFF).Select(char.ConvertFromUtf32));
            Assert.Equal(text.Replace('▁', ' '), Stories.Decode(Stories.Encode(text)));
        }
    }

    [Fact]
    public void Incomplete_characters_are_held_back()
    {
        StreamingDecoder decoder = Stories.CreateStreamingDecoder();
        int[] emoji = [.. "F0 9F 98 80".Split(' ').Select(value => Stories.TokenId($"<0x{value}>")!.Value)];
        foreach (int id in emoji)
        {
            Assert.Equal("", decoder.Append(id));
        }

        Assert.Equal("😀a", decoder.Append(Stories.TokenId("a")!.Value));
        Assert.Equal("", decoder.Append(emoji[0]));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Throws<InvalidOperationException>(() => decoder.Append(5));
    }

    [Fact]
    public void A_word_of_a_million_letters_takes_no_quadratic_time()
    {
        var clock = Stopwatch.StartNew();
        string word = string.Concat(Enumerable.Range(0, 1_000_000).Select(i => (char)('a' + (i * 7919L % 26))));
        Assert.Equal(word, Stories.Decode(Stories.Encode(word)));

        // Quadratic merging would take hours.
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(30), $"took {clock.Elapsed}");
    }

    [Fact]
    public void Many_threads_may_share_a_tokenizer()
    {
        List<GoldenLine> lines = GoldenFile.Read("stories260K", "goldens.jsonl");
        Tokenizer tokenizer = Tokenizer.Load(GoldenFile.Folder("stories260K"));
        Parallel.For(0, 8, _ => TokenizerGoldenTests.AssertEncodes(tokenizer, lines));
    }
}
