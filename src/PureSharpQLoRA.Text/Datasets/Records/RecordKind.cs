using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>A kind of record, known by its fields.</summary>
internal abstract class RecordKind
{
    /// <summary>All kinds; the first whose fields are there reads the record.</summary>
    private static readonly RecordKind[] Known = [new TokenIdsRecord(), new MessagesRecord(), new ShareGptRecord(), new PromptCompletionRecord(), new TextRecord()];

    /// <summary>The fields, as shown to whoever has none of them.</summary>
    protected abstract string Fields { get; }

    /// <summary>Makes an example of a record of whatever kind.</summary>
    public static Example Read(Record record, ExampleBuilder builder)
    {
        if (record.Element.ValueKind != JsonValueKind.Object)
        {
            throw record.Place.Error($"a record must be a JSON object, and this is {Record.Kind(record.Element)}");
        }

        foreach (RecordKind kind in Known)
        {
            if (kind.Matches(record))
            {
                return kind.ToExample(record, builder);
            }
        }

        string found = string.Join(", ", record.Names());
        throw record.Place.Error($"no known kind of record has the fields found ({(found.Length == 0 ? "none" : found)}); known kinds: {string.Join(", ", Known.Select(kind => kind.Fields))}");
    }

    protected abstract bool Matches(Record record);

    protected abstract Example ToExample(Record record, ExampleBuilder builder);
}
