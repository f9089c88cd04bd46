using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests.Chat;

public sealed class ConversationDatasetTests : IDisposable
{
    private const string Messages = """{"messages": [{"role": "user", "content": "Once upon"}, {"role": "assistant", "content": "a time"}]}""";

    private static readonly Tokenizer Stories = Tokenizer.Load(GoldenFile.Folder("stories260K"));

    private static readonly ChatTemplate Template = ChatTemplate.Parse(
        "t", "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}",
        new Dictionary<string, string> { ["bos_token"] = "<s>" });

    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Conversations_go_through_the_template_and_the_answers_are_learnt()
    {
        Example example = Assert.Single(Read(Messages).Examples);

        Assert.Equal(Stories.Encode("<s>user: Once upon</s>assistant: a time</s>", addSpecialTokens: false), example.Ids);
        Assert.Equal("a time</s>", Stories.Decode(example.Labels.Where(static label => label != Example.Ignored).ToArray(), skipSpecialTokens: false));
        Assert.Equal(1, example.Ids.Count(id => id == Stories.BosId));
    }

    [Fact]
    public void The_whole_conversation_is_learnt_where_asked()
    {
        Example example = Assert.Single(Read(Messages, new DatasetOptions { ChatTemplate = Template, AssistantOnlyLoss = false }).Examples);

        Assert.Same(example.Ids, example.Labels);
        Assert.Equal(Read(Messages).Examples[0].Ids, example.Ids);
    }

    [Fact]
    public void ShareGpt_says_the_same()
    {
        Example example = Assert.Single(Read("""{"conversations": [{"from": "human", "value": "Once upon"}, {"from": "gpt", "value": "a time"}]}""").Examples);

        Assert.Equal(Read(Messages).Examples[0].Ids, example.Ids);
        Assert.Equal(Read(Messages).Examples[0].Labels, example.Labels);
    }

    [Fact]
    public void A_system_field_of_ShareGpt_is_the_first_message()
    {
        Example example = Assert.Single(Read("""{"system": "Be.", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}""").Examples);

        Assert.Equal(Stories.Encode("<s>system: Be.</s>user: a</s>assistant: b</s>", addSpecialTokens: false), example.Ids);
    }

    [Fact]
    public void A_conversation_without_a_template_says_what_to_do()
    {
        DatasetException error = Assert.Throws<DatasetException>(() => Read("""{"text": "Once upon a time"}""" + "\n" + Messages, new DatasetOptions()));

        Assert.Equal(2, error.Line);
        Assert.Contains("chat_template.jinja", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"conversations": [{"from": "martian", "value": "a"}]}""", "\"martian\"")]
    [InlineData("""{"conversations": [{"from": "human"}]}""", "\"from\" and \"value\"")]
    [InlineData("""{"conversations": 1}""", "array of messages")]
    [InlineData("""{"messages": [{"role": "user"}]}""", "no attribute 'content'")]
    public void A_malformed_conversation_names_its_line(string json, string reason)
    {
        ChatTemplate strict = ChatTemplate.Parse("t", "{% for m in messages %}{{ m.role + m.content }}{% endfor %}");
        DatasetException error = Assert.Throws<DatasetException>(() => Read(json, new DatasetOptions { ChatTemplate = strict }));

        Assert.Equal(1, error.Line);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    private Dataset Read(string content, DatasetOptions? options = null)
    {
        File.WriteAllText(_folder.File("data.jsonl"), content);
        return DatasetReader.Read([_folder.File("data.jsonl")], Stories, options ?? new DatasetOptions { ChatTemplate = Template });
    }
}
