namespace PureSharpQLoRA.Text;

/// <summary>Documents laid end to end, without padding. One object serves many steps: its memory is kept from one to the next.</summary>
public sealed class Batch
{
    private int[] _ids = [], _labels = [], _positions = [];
    private int[] _starts = [0];

    /// <summary>Token ids, [tokens].</summary>
    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Tokens);

    /// <summary>
    /// What to predict at each token, [tokens]: the label of the token after it in the same document, or <see cref="Example.Ignored"/>;
    /// always that at a document's last token.
    /// </summary>
    public ReadOnlySpan<int> Labels => _labels.AsSpan(0, Tokens);

    /// <summary>The position of each token in its document, [tokens].</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Tokens);

    /// <summary>Document boundaries as token offsets, [documents + 1]; the last is the number of tokens.</summary>
    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, Documents + 1);

    /// <summary>The number of tokens.</summary>
    public int Tokens { get; private set; }

    /// <summary>The number of documents.</summary>
    public int Documents { get; private set; }

    /// <summary>How many labels are not <see cref="Example.Ignored"/>.</summary>
    public int TargetCount { get; private set; }

    /// <summary>Empties the batch; its memory is kept.</summary>
    public void Clear() => (Tokens, Documents, TargetCount) = (0, 0, 0);

    /// <summary>Adds a document.</summary>
    /// <exception cref="ArgumentException">The example has no token, or not as many labels as ids.</exception>
    public void Add(Example example)
    {
        ArgumentNullException.ThrowIfNull(example);
        int length = example.Ids.Length;
        if (length == 0 || example.Labels.Length != length)
        {
            throw new ArgumentException($"An example needs as many labels as ids, and at least one; this has {length} ids and {example.Labels.Length} labels.", nameof(example));
        }

        Reserve(Tokens + length, Documents + 2);
        example.Ids.CopyTo(_ids, Tokens);
        example.Labels.AsSpan(1).CopyTo(_labels.AsSpan(Tokens));
        _labels[Tokens + length - 1] = Example.Ignored;
        for (int i = 0; i < length; i++)
        {
            _positions[Tokens + i] = i;
        }

        Tokens += length;
        _starts[++Documents] = Tokens;
        TargetCount += example.CountTargets();
    }

    private void Reserve(int tokens, int starts)
    {
        if (_ids.Length < tokens)
        {
            int capacity = Math.Max(tokens, 2 * _ids.Length);
            Array.Resize(ref _ids, capacity);
            Array.Resize(ref _labels, capacity);
            Array.Resize(ref _positions, capacity);
        }

        if (_starts.Length < starts)
        {
            Array.Resize(ref _starts, Math.Max(starts, 2 * _starts.Length));
        }
    }
}
