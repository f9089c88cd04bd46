using System.Text.Json;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text.Tests.Chat;

public sealed class ChatTemplateTests : IDisposable
{
    private static readonly Tokenizer Stories = Tokenizer.Load(GoldenFile.Folder("stories260K"));

    private static readonly Conversation Two = Conversation.Of(
        [new("system", "Be kind."), new("user", "One?"), new("assistant", "Uno."), new("user", "Two?"), new("assistant", "Dos.")]);

    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("chatml", "Uno.<|im_end|>\n|Dos.<|im_end|>\n")]
    [InlineData("chatml-generation", "Uno.<|im_end|>|Dos.<|im_end|>")]
    [InlineData("bracketed-instructions", " Uno. </s>| Dos. </s>")]
    [InlineData("headers", "Uno.<|eot_id|>|Dos.<|eot_id|>")]
    [InlineData("plain-dialogue", " Uno.</s>| Dos.</s>")]
    public void What_the_assistant_says_is_learnt_up_to_the_end_of_its_turn(string name, string expected)
    {
        Assert.Equal(expected, Learnt(name, Two));
    }

    [Fact]
    public void Thinking_that_a_template_drops_from_earlier_answers_is_not_learnt_there()
    {
        var conversation = Conversation.Of([new("user", "a"), new("assistant", "<think>x</think>A"), new("user", "b"), new("assistant", "<think>y</think>B")]);

        Assert.Equal("A<|im_end|>\n|<think>\ny\n</think>\n\nB<|im_end|>\n", Learnt("thinking", conversation));
        Assert.Equal("A<|end_of_sentence|>|B<|end_of_sentence|>", Learnt("drops-thinking", conversation));
    }

    [Fact]
    public void A_system_message_that_moves_does_not_hide_the_answers()
    {
        Assert.Equal("Uno.</s>|Dos.</s>", Learnt("late-system", Two));
    }

    [Fact]
    public void Calls_of_tools_are_learnt_and_their_results_are_not()
    {
        using JsonDocument record = JsonDocument.Parse("""
            {"messages": [{"role": "user", "content": "Add"}, {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1}}}]},
              {"role": "tool", "content": "3"}, {"role": "assistant", "content": "Three."}], "tools": "[{\"function\": {\"name\": \"add\"}}]"}
            """);

        Assert.Equal("""{"name": "add", "parameters": {"a": 1}}<|eot_id|>|Three.<|eot_id|>""", Learnt("headers", Conversation.FromJson(record.RootElement)));
    }

    [Fact]
    public void An_answer_that_the_template_leaves_out_is_an_error_that_says_what_to_do()
    {
        ChatTemplate template = ChatTemplate.Parse("t", "{% for m in messages[-1:] %}{{ m.content }}{% endfor %}");

        Assert.Contains("message 3", Assert.Throws<ChatTemplateException>(() => template.Encode(Two, Stories)).Message, StringComparison.Ordinal);
        Assert.Contains("message 3", Assert.Throws<ChatTemplateException>(() => template.Encode(Two, Stories)).Message, StringComparison.Ordinal);
        Assert.Contains("{% generation %}", Assert.Throws<ChatTemplateException>(() => template.Encode(Two, Stories)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Generated_text_that_goes_through_a_variable_is_an_error()
    {
        ChatTemplate template = ChatTemplate.Parse("t", "{% set x %}{% generation %}a{% endgeneration %}{% endset %}{{ x }}");

        Assert.Equal("a", template.Render(Two));
        Assert.Contains("move it out", Assert.Throws<ChatTemplateException>(() => template.Encode(Two, Stories)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_after_the_token_that_ends_a_turn_is_learnt()
    {
        ChatTemplate template = ChatTemplate.Parse("t", "{% for m in messages %}{{ m.content + '</s>' + '\n' }}{% endfor %}");

        ChatTokens tokens = template.Encode(Conversation.Of([new("user", "a"), new("assistant", "b")]), Stories);

        Assert.Equal("b</s>", Assert.Single(tokens.Learnt.Select(span => tokens.Text[span.Start..span.End])));
        Assert.Equal(tokens.Ids, Stories.Encode(tokens.Text, addSpecialTokens: false));
    }

    [Fact]
    public void A_token_is_the_assistants_where_any_of_its_characters_is()
    {
        // " time" is one token; the boundary falls within it.
        ChatTemplate template = ChatTemplate.Parse("t", "Once upon a ti{% generation %}me{% endgeneration %} there");

        ChatTokens tokens = template.Encode(Two, Stories);

        Assert.Equal("time", Assert.Single(tokens.Learnt.Select(span => tokens.Text[span.Start..span.End])).Trim());
        Assert.Equal(1, tokens.AssistantMask.Count(static learnt => learnt));
    }

    [Fact]
    public void The_beginning_that_a_template_writes_is_not_written_again()
    {
        ChatTemplate template = Template("headers");

        ChatTokens tokens = template.Encode(Two, Stories);

        Assert.Equal(Stories.BosId, tokens.Ids[0]);
        Assert.Equal(1, tokens.Ids.Count(id => id == Stories.BosId));
        Assert.Equal(tokens.Ids, template.EncodeIds(Two, Stories));
    }

    [Fact]
    public void The_file_wins_over_the_field_and_a_template_for_tools_is_taken_for_tools()
    {
        Assert.Null(ChatTemplate.Find(_folder.Path));
        File.WriteAllText(_folder.File("tokenizer_config.json"), """
            {"bos_token": {"content": "<s>"}, "chat_template": [{"name": "default", "template": "{{ bos_token }}field"}, {"name": "tool_use", "template": "tools"}]}
            """);
        using JsonDocument withTools = JsonDocument.Parse("""{"messages": [], "tools": [{"name": "x"}]}""");
        Assert.Equal("<s>field", ChatTemplate.Find(_folder.Path)!.Render(Two));
        Assert.Equal("tools", ChatTemplate.Find(_folder.Path)!.Render(Conversation.FromJson(withTools.RootElement)));

        File.WriteAllText(_folder.File("chat_template.jinja"), "file\n");
        Assert.Equal("file", ChatTemplate.Find(_folder.Path)!.Render(Two));
    }

    [Theory]
    [InlineData("""{"messages": 5}""", "array of messages")]
    [InlineData("""{"messages": ["hi"]}""", "\"role\"")]
    [InlineData("""{"messages": [{"content": "hi"}]}""", "\"role\"")]
    [InlineData("""{"messages": [], "tools": "no JSON"}""", "\"tools\"")]
    [InlineData("""{"text": "hi"}""", "\"messages\"")]
    [InlineData("""{"messages": [{"role": "user", "content": "\ud800"}]}""", "surrogate")]
    public void A_malformed_conversation_is_one_clear_error(string json, string expected)
    {
        using JsonDocument record = JsonDocument.Parse(json);
        Assert.Contains(expected, Assert.Throws<ChatTemplateException>(() => Conversation.FromJson(record.RootElement)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Variables_of_the_record_reach_the_template()
    {
        using JsonDocument record = JsonDocument.Parse("""{"messages": [], "documents": [{"t": 1}], "chat_template_kwargs": {"enable_thinking": false}}""");
        ChatTemplate template = ChatTemplate.Parse("t", "{{ enable_thinking }} {{ documents }} {{ tools }} {{ add_generation_prompt }}");

        Assert.Equal("False [{'t': 1}] None True", template.Render(Conversation.FromJson(record.RootElement), addGenerationPrompt: true));
    }

    [Fact]
    public void A_refusal_names_the_place_in_the_template()
    {
        TemplateException error = Assert.Throws<TemplateException>(() => ChatTemplate.Parse("chat.jinja", "a\n  {{ raise_exception('no') }}").Render(Two));

        Assert.Equal(("chat.jinja", 2, 21), (error.Template, error.Line, error.Column));
        Assert.StartsWith("chat.jinja:2:21: the template refuses the conversation: no", error.Message, StringComparison.Ordinal);
    }

    private static ChatTemplate Template(string name) => ChatTemplate.Parse(
        name,
        File.ReadAllText(GoldenFile.Folder(Path.Combine("templates", "own", name + ".jinja"))),
        new Dictionary<string, string> { ["bos_token"] = "<s>", ["eos_token"] = "</s>" });

    private static string Learnt(string name, Conversation conversation)
    {
        ChatTokens tokens = Template(name).Encode(conversation, Stories);
        return string.Join('|', tokens.Learnt.Select(span => tokens.Text[span.Start..span.End]));
    }
}
