namespace PureSharpQLoRA.Text.Tests;

public class TokenSpanTests
{
    public static TheoryData<string, string> Files => new()
    {
        { "stories260K", "goldens.jsonl" },
        { "byte-level", "goldens.jsonl" },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Tokens_with_stretches_are_the_same_tokens_and_cover_the_text(string folder, string file)
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenFile.Folder(folder));
        foreach (GoldenLine line in GoldenFile.Read(folder, file))
        {
            var ids = new List<int>();
            var spans = new List<TextSpan>();
            tokenizer.Encode(line.Text, ids, spans);

            Assert.Equal(tokenizer.Encode(line.Text, addSpecialTokens: false), ids);
            Assert.Equal(ids.Count, spans.Count);
            int reached = 0;
            foreach (TextSpan span in spans)
            {
                Assert.InRange(span.Start, 0, reached);
                Assert.InRange(span.End, reached, line.Text.Length);
                reached = span.End;
            }

            Assert.Equal(line.Text.Length, reached);
        }
    }

    [Fact]
    public void Stretches_of_whole_characters_spell_the_tokens()
    {
        Tokenizer tokenizer = Tokenizer.Load(GoldenFile.Folder("byte-level"));
        const string Text = "Once upon a time,\n  ünder the 🎈 there was<|im_end|> more";
        var ids = new List<int>();
        var spans = new List<TextSpan>();
        tokenizer.Encode(Text, ids, spans);

        Assert.Equal(Text, string.Concat(spans.DistinctBy(static span => span.Start).Select(static span => Text[span.Start..span.End])));
        for (int i = 0; i < ids.Count; i++)
        {
            string decoded = tokenizer.Decode([ids[i]], skipSpecialTokens: false);
            Assert.True(decoded.Contains('\uFFFD', StringComparison.Ordinal) || decoded == Text[spans[i].Start..spans[i].End], $"token {i}: {decoded}");
        }
    }

    [Theory]
    [InlineData("nfc")]
    [InlineData("replace")]
    [InlineData("prepend")]
    public void Normalised_characters_keep_their_place(string kind)
    {
        (Normalizer normalizer, string text) = kind switch
        {
            "nfc" => ((Normalizer)new ComposingNormalizer(), "ae\u0301x e\u0323\u0302 \u1100\u1161\u11A8 日本 \u0301"),
            "replace" => (new ReplaceNormalizer(new LiteralPattern("ab"), "▁▁▁"), "xabab yab"),
            _ => (new PrependNormalizer("▁"), "word"),
        };
        TextSpan[] spans = [.. Enumerable.Range(0, text.Length).Select(static at => new TextSpan(at, at + 1))];

        string normalized = normalizer.Normalize(text, ref spans);

        Assert.Equal(normalizer.Normalize(text), normalized);
        Assert.Equal(normalized.Length, spans.Length);
        Assert.Equal(text.Length, spans[^1].End);
        for (int i = 0; i < normalized.Length; i++)
        {
            if (spans[i].Length == 1 && spans.Count(span => span == spans[i]) == 1)
            {
                Assert.Equal(text[spans[i].Start], normalized[i]);
            }
        }

        Assert.Equal(normalized, kind == "nfc" ? normalizer.Normalize(string.Concat(spans.Distinct().Select(span => text[span.Start..span.End]))) : normalized);
    }
}
