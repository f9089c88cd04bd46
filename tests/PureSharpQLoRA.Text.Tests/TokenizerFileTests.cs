using System.Text.Json.Nodes;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests;

public class TokenizerFileTests
{
    [Fact]
    public void A_folder_without_tokenizer_is_named()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TokenizerFormatException error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains(folder.File("tokenizer.json"), error.Message, StringComparison.Ordinal);
        Assert.Contains("no such file", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_that_is_no_JSON_is_named()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.WriteAllText(folder.File("tokenizer.json"), "{\"model\": ");
        TokenizerFormatException error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains("not valid JSON", error.Message, StringComparison.Ordinal);
        Assert.Equal(folder.File("tokenizer.json"), error.File);
    }

    [Theory]
    [InlineData("normalizer", """{"type":"BertNormalizer"}""", "normalizer: the normalizer \"BertNormalizer\" is not supported")]
    [InlineData("pre_tokenizer", """{"type":"Sequence","pretokenizers":[{"type":"UnicodeScripts"}]}""", "pre_tokenizer.pretokenizers[0]: the pre_tokenizer \"UnicodeScripts\"")]
    [InlineData("post_processor", """{"type":"BertProcessing"}""", "the post_processor \"BertProcessing\" is not supported")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<x>"}}],"special_tokens":{}}""", "the field \"<x>\" is missing")]
    [InlineData("decoder", """{"type":"CTC"}""", "the decoder \"CTC\" is not supported")]
    [InlineData("model", """{"type":"Unigram"}""", "the model \"Unigram\" is not supported (supported: BPE)")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":["a b"]}""", "model.merges[0]: the merge needs \"b\"")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":["a"]}""", "model.merges[0]: expected two tokens, found \"a\"")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":-1},"merges":[]}""", "the id of \"a\" is -1")]
    [InlineData("model", "5", "model: expected an object, found 5")]
    [InlineData("model", "null", "the field \"model\" is missing")]
    [InlineData("added_tokens", "{}", "added_tokens: expected an array, found an object")]
    [InlineData("added_tokens", """[{"id":-3,"content":"x"}]""", "added_tokens[0].id: expected an id from 0")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0}}""", "the field \"merges\" is missing")]
    [InlineData("model", """{"type":"BPE","vocab":[],"merges":[]}""", "model.vocab: expected an object")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1}""", "model.dropout: expected null")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"unk_token":"u"}""", "model.unk_token: expected a token of the vocabulary")]
    [InlineData("model", """{"type":"BPE","vocab":{"a":0},"merges":[],"end_of_word_suffix":"</w>"}""", "end_of_word_suffix")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"\\p{Han}+"},"behavior":"Isolated"}""", "the property \\p{Han}")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a\\bb"},"behavior":"Isolated"}""", "the escape \\b at character 2")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"(a"},"behavior":"Isolated"}""", "a group without )")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"[a"},"behavior":"Isolated"}""", "a class without ]")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Sideways"}""", "the split behavior \"Sideways\"")]
    public void What_is_not_supported_or_wrong_is_named(string field, string value, string expected)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenFile.Folder("stories260K"), "tokenizer.json")))!;
        json[field] = JsonNode.Parse(value);
        File.WriteAllText(folder.File("tokenizer.json"), json.ToJsonString());
        TokenizerFormatException error = Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("""{"model":{"vocab":{"\ud800":0},"merges":[]}}""")]
    [InlineData("""{"model":{"vocab":{"a":0},"merges":[["\ud800","a"]]}}""")]
    [InlineData("""{"model":{"vocab":{"a":0},"merges":["\udc00 a"]}}""")]
    public void Halves_of_surrogate_pairs_are_no_text(string json)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.WriteAllText(folder.File("tokenizer.json"), json);
        Assert.Contains("surrogate pair", Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Special_tokens_come_from_whichever_file_names_them()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        File.Copy(Path.Combine(GoldenFile.Folder("stories260K"), "tokenizer.json"), folder.File("tokenizer.json"));
        Assert.Null(Tokenizer.Load(folder.Path).BosId);
        File.WriteAllText(folder.File("config.json"), """{"bos_token_id": 5, "eos_token_id": [6, 7]}""");
        Assert.Equal((5, 6), (Tokenizer.Load(folder.Path).BosId, Tokenizer.Load(folder.Path).EosId));
        File.WriteAllText(folder.File("tokenizer_config.json"), """{"bos_token": {"content": "<s>"}, "pad_token": "</s>"}""");
        Assert.Equal((1, 6, 2), (Tokenizer.Load(folder.Path).BosId, Tokenizer.Load(folder.Path).EosId, Tokenizer.Load(folder.Path).PadId));
        File.WriteAllText(folder.File("tokenizer_config.json"), """{"bos_token": "", "pad_token": "[PAD]"}""");
        Assert.Equal((5, null), (Tokenizer.Load(folder.Path).BosId, Tokenizer.Load(folder.Path).PadId));
        File.WriteAllText(folder.File("tokenizer_config.json"), """{"bos_token": "<nowhere>"}""");
        Assert.Contains("bos_token", Assert.Throws<TokenizerFormatException>(() => Tokenizer.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_files_give_the_typed_exception_or_load()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        byte[] original = File.ReadAllBytes(Path.Combine(GoldenFile.Folder("stories260K"), "tokenizer.json"));
        var random = new Xoshiro256(3, 0);
        int refused = 0;
        for (int round = 0; round < 300; round++)
        {
            byte[] damaged = [.. original];
            for (int i = 0; i < 1 + (round % 4); i++)
            {
                damaged[random.Below(damaged.Length)] = (byte)"0129{}[],:\"\\ax\u00FF"[random.Below(15)];
            }

            File.WriteAllBytes(folder.File("tokenizer.json"), round % 5 == 0 ? damaged[..random.Below(damaged.Length)] : damaged);
            try
            {
                _ = Tokenizer.Load(folder.Path).Decode(Tokenizer.Load(folder.Path).Encode("Once upon a time"));
            }
            catch (TokenizerFormatException)
            {
                refused++;
            }
        }

        Assert.InRange(refused, 100, 300);
    }
}
