namespace PureSharpQLoRA.Text;

/// <summary>A document, all of it learnt.</summary>
internal sealed class TextRecord : RecordKind
{
    protected override string Fields => "{\"text\"}";

    protected override bool Matches(Record record) => record.Has("text");

    protected override Example ToExample(Record record, ExampleBuilder builder) => builder.FromText(record.Text("text"));
}
