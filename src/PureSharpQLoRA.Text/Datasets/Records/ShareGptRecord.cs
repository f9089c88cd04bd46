namespace PureSharpQLoRA.Text;

/// <summary>A conversation in the way of ShareGPT, which the model's chat template turns into text.</summary>
internal sealed class ShareGptRecord : RecordKind
{
    protected override string Fields => "{\"conversations\": [{\"from\", \"value\"}]}";

    protected override bool Matches(Record record) => record.Has("conversations");

    protected override Example ToExample(Record record, ExampleBuilder builder) => builder.FromConversation(record, Conversation.FromShareGpt);
}
