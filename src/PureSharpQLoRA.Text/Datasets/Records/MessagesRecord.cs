namespace PureSharpQLoRA.Text;

/// <summary>A conversation as the field's tools write it, which the model's chat template turns into text.</summary>
internal sealed class MessagesRecord : RecordKind
{
    protected override string Fields => "{\"messages\": [{\"role\", \"content\"}]}";

    protected override bool Matches(Record record) => record.Has("messages");

    protected override Example ToExample(Record record, ExampleBuilder builder) => builder.FromConversation(record, Conversation.FromJson);
}
