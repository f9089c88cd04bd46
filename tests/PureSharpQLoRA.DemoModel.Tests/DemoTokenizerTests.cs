using PureSharpQLoRA.DemoModel.Grammar;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.DemoModel.Tests;

public sealed class DemoTokenizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_tokenizer_spells_both_voices_in_few_tokens_and_gives_every_text_back()
    {
        DemoData.Write(_folder.File("data"), DemoTokenizer.PlainStories);
        DemoTokenizer.Write(_folder.File("data"), _folder.File("model"));
        Tokenizer tokenizer = Tokenizer.Load(_folder.File("model"));
        Assert.Equal(DemoTokenizer.VocabularySize, tokenizer.VocabularySize);
        Assert.Equal(0, tokenizer.EosId);

        // Stories of other seeds than the training text's; a space or a mark belongs to its word.
        Assert.InRange(TokensPerWord(tokenizer, new StoryGrammar(77).Next), 1.0, 1.35);
        Assert.InRange(TokensPerWord(tokenizer, new StyleGrammar(78).Next), 1.0, 1.35);

        const string Foreign = "Zażółć gęślą jaźń, 42 x 7 = 294 \U0001F3F4\n";
        Assert.Equal(Foreign, tokenizer.Decode(tokenizer.Encode(Foreign)));
    }

    [Fact]
    public void The_same_data_trains_the_same_tokenizer()
    {
        DemoData.Write(_folder.File("data"), stories: 500);
        DemoTokenizer.Write(_folder.File("data"), _folder.File("one"));
        DemoTokenizer.Write(_folder.File("data"), _folder.File("two"));
        Assert.Equal(File.ReadAllText(_folder.File("one", "tokenizer.json")), File.ReadAllText(_folder.File("two", "tokenizer.json")));
    }

    [Theory]
    [InlineData("{\"text\": \"One day.\"")]
    [InlineData("{\"story\": \"One day.\"}")]
    [InlineData("{\"text\": 5}")]
    [InlineData("[]")]
    public void A_damaged_line_is_named(string line)
    {
        DemoData.Write(_folder.File("data"), stories: 5);
        string path = _folder.File("data", "base.jsonl");
        File.AppendAllText(path, line + "\n");
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => DemoTokenizer.Write(_folder.File("data"), _folder.File("model")));
        Assert.StartsWith($"{path}:6 ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_little_text_is_refused()
    {
        DemoData.Write(_folder.File("data"), stories: 1);
        File.WriteAllText(_folder.File("data", "style-train.jsonl"), "");
        Assert.Throws<InvalidDataException>(() => DemoTokenizer.Write(_folder.File("data"), _folder.File("model")));
    }

    private static double TokensPerWord(Tokenizer tokenizer, Func<Story> next)
    {
        int tokens = 0, words = 0;
        for (int i = 0; i < 500; i++)
        {
            string text = next().Text;
            int[] ids = tokenizer.Encode(text);
            Assert.Equal(text, tokenizer.Decode(ids));
            tokens += ids.Length;
            words += text.Split([' ', '.', ',', '!', '?', '"'], StringSplitOptions.RemoveEmptyEntries).Length + text.Count(".,!?".Contains);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{(double)tokens / words:0.000}");
        return (double)tokens / words;
    }
}
