namespace PureSharpQLoRA.Text;

/// <summary>A prompt and how it should go on.</summary>
internal sealed class PromptCompletionRecord : RecordKind
{
    protected override string Fields => "{\"prompt\", \"completion\"}";

    protected override bool Matches(Record record) => record.Has("prompt") && record.Has("completion");

    protected override Example ToExample(Record record, ExampleBuilder builder) => builder.FromPrompt(record.Text("prompt"), record.Text("completion"));
}
