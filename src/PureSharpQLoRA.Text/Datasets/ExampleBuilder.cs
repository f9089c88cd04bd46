namespace PureSharpQLoRA.Text;

/// <summary>Tokenises records with the tokens that begin and end a document.</summary>
internal sealed class ExampleBuilder(Tokenizer tokenizer, DatasetOptions options)
{
    private readonly List<int> _ids = [];
    private readonly List<int> _promptIds = [];

    /// <summary>Ids must be below this.</summary>
    public int VocabularySize { get; } = options.VocabularySize ?? tokenizer.VocabularySize;

    /// <summary>Begin, text and end, all learnt.</summary>
    public Example FromText(string text)
    {
        if (text.Length == 0)
        {
            return new Example([], []);
        }

        _ids.Clear();
        tokenizer.Encode(text, _ids, addSpecialTokens: true);
        AddEnd();
        int[] ids = [.. _ids];
        return new Example(ids, ids);
    }

    /// <summary>Begin, prompt, completion and end; the prompt is learnt only where the options say so.</summary>
    /// <remarks>
    /// Prompt and completion are tokenised as one text, as a model that goes on writing would see them. Where the prompt's own ids do not
    /// begin that (a token spans the boundary), each is tokenised for itself, so that no token is half prompt and half completion.
    /// </remarks>
    public Example FromPrompt(string prompt, string completion)
    {
        if (prompt.Length == 0 && completion.Length == 0)
        {
            return new Example([], []);
        }

        _promptIds.Clear();
        _promptIds.AddRange(tokenizer.PrefixIds);
        tokenizer.Encode(prompt, _promptIds, addSpecialTokens: false);

        _ids.Clear();
        tokenizer.Encode(prompt + completion, _ids, addSpecialTokens: true);
        bool joint = _ids.Count >= _promptIds.Count;
        for (int i = 0; joint && i < _promptIds.Count; i++)
        {
            joint = _ids[i] == _promptIds[i];
        }

        if (!joint)
        {
            _ids.Clear();
            _ids.AddRange(_promptIds);
            tokenizer.Encode(completion, _ids, addSpecialTokens: false);
            _ids.AddRange(tokenizer.SuffixIds);
        }

        AddEnd();
        int[] ids = [.. _ids];
        if (!options.CompletionOnlyLoss)
        {
            return new Example(ids, ids);
        }

        int[] labels = [.. ids];
        labels.AsSpan(0, _promptIds.Count).Fill(Example.Ignored);
        return new Example(ids, labels);
    }

    private void AddEnd()
    {
        if (tokenizer.EosId is { } end && (_ids.Count == 0 || _ids[^1] != end))
        {
            _ids.Add(end);
        }
    }
}
