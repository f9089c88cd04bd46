namespace PureSharpQLoRA.Text;

/// <summary>Gathers examples: truncates them, leaves empty ones out, and counts.</summary>
internal sealed class ExampleCollector(int? maxLength)
{
    private readonly List<Example> _examples = [];
    private int _records, _longest, _truncated, _dropped, _withoutTargets;
    private long _tokens, _targets, _truncatedTokens;

    public void Add(Example example)
    {
        _records++;
        if (example.Ids.Length < 2)
        {
            _dropped++;
            return;
        }

        if (example.Ids.Length > maxLength)
        {
            _truncated++;
            _truncatedTokens += example.Ids.Length - maxLength.Value;
            int[] ids = example.Ids[..maxLength.Value];
            example = new Example(ids, ReferenceEquals(example.Labels, example.Ids) ? ids : example.Labels[..maxLength.Value]);
        }

        int targets = example.CountTargets();
        _withoutTargets += targets == 0 ? 1 : 0;
        _targets += targets;
        _tokens += example.Ids.Length;
        _longest = Math.Max(_longest, example.Ids.Length);
        _examples.Add(example);
    }

    /// <param name="names">The files, for complaints.</param>
    public Dataset Finish(string names)
    {
        if (_examples.Count == 0)
        {
            throw new DatasetException(names, null, null, _records == 0 ? "there are no records" : $"none of the {_records} records has two tokens or more");
        }

        if (_targets == 0)
        {
            throw new DatasetException(names, null, null, "nothing is to be learnt: every label is -100"
                + (_truncated > 0 ? $" ({_truncated} examples were cut at {maxLength} tokens: a larger max_length may help)" : ""));
        }

        return new Dataset(_examples, new DatasetStatistics(_records, _tokens, _targets, _longest, _truncated, _truncatedTokens, _dropped, _withoutTargets));
    }
}
