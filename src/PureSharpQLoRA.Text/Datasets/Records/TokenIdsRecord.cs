namespace PureSharpQLoRA.Text;

/// <summary>A document that is tokenised already and taken as it is; without labels, all of it is learnt.</summary>
internal sealed class TokenIdsRecord : RecordKind
{
    protected override string Fields => "{\"input_ids\"[, \"labels\"]}";

    protected override bool Matches(Record record) => record.Has("input_ids");

    protected override Example ToExample(Record record, ExampleBuilder builder)
    {
        int[] ids = record.Integers("input_ids");
        Check(record, "input_ids", ids, builder.VocabularySize, mayBeIgnored: false);
        if (!record.Has("labels"))
        {
            return new Example(ids, ids);
        }

        int[] labels = record.Integers("labels");
        if (labels.Length != ids.Length)
        {
            throw record.Place.Error($"\"labels\" has {labels.Length} elements and \"input_ids\" {ids.Length}; they must be as many");
        }

        Check(record, "labels", labels, builder.VocabularySize, mayBeIgnored: true);
        return new Example(ids, labels);
    }

    private static void Check(Record record, string field, int[] values, int vocabularySize, bool mayBeIgnored)
    {
        for (int i = 0; i < values.Length; i++)
        {
            if ((uint)values[i] >= (uint)vocabularySize && !(mayBeIgnored && values[i] == Example.Ignored))
            {
                throw record.Place.Error($"\"{field}\" has {values[i]} at element {i}, outside the vocabulary of {vocabularySize}"
                    + (mayBeIgnored ? " (-100 marks what is not learnt)" : ""));
            }
        }
    }
}
