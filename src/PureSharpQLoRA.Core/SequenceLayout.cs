namespace PureSharpQLoRA.Core;

/// <summary>
/// How a flat run of tokens is divided into documents: attention never crosses their boundaries, and positions start again in each.
/// One object serves many steps: <see cref="Set"/> describes the next one.
/// </summary>
public sealed class SequenceLayout
{
    private int[] _starts = [0];
    private int[] _positions = [];

    /// <summary>Document boundaries as token offsets, [documents + 1]; the last is the number of tokens.</summary>
    public ReadOnlySpan<int> Starts => _starts.AsSpan(0, Documents + 1);

    /// <summary>The position of each token in its document, [tokens].</summary>
    public ReadOnlySpan<int> Positions => _positions.AsSpan(0, Tokens);

    /// <summary>The number of documents.</summary>
    public int Documents { get; private set; }

    /// <summary>The number of tokens.</summary>
    public int Tokens { get; private set; }

    /// <summary>The length of the longest document, including what a cache holds of it.</summary>
    public int LongestDocument { get; private set; }

    /// <summary>Keys and values of earlier tokens of the one document; null outside generation.</summary>
    public KeyValueCache? Cache { get; private set; }

    /// <summary>A layout of equally long documents.</summary>
    public static SequenceLayout Uniform(int documents, int length)
    {
        var starts = new int[documents + 1];
        for (int i = 0; i < starts.Length; i++)
        {
            starts[i] = i * length;
        }

        var layout = new SequenceLayout();
        layout.Set(starts);
        return layout;
    }

    /// <summary>Describes a batch by its document boundaries, [documents + 1], beginning with 0 and not decreasing.</summary>
    /// <exception cref="ArgumentException">The boundaries are not of that form.</exception>
    public void Set(ReadOnlySpan<int> starts)
    {
        if (starts.Length < 2 || starts[0] != 0)
        {
            throw new ArgumentException("Document boundaries begin with 0 and end with the number of tokens.", nameof(starts));
        }

        int longest = 0;
        for (int i = 1; i < starts.Length; i++)
        {
            if (starts[i] < starts[i - 1])
            {
                throw new ArgumentException($"Document boundary {i} ({starts[i]}) is before the one ahead of it ({starts[i - 1]}).", nameof(starts));
            }

            longest = Math.Max(longest, starts[i] - starts[i - 1]);
        }

        Reserve(starts.Length, starts[^1]);
        starts.CopyTo(_starts);
        (Documents, Tokens, LongestDocument, Cache) = (starts.Length - 1, starts[^1], longest, null);
        for (int document = 0; document < Documents; document++)
        {
            for (int i = _starts[document]; i < _starts[document + 1]; i++)
            {
                _positions[i] = i - _starts[document];
            }
        }
    }

    /// <summary>Describes the next <paramref name="tokens"/> tokens of the document whose earlier ones are in <paramref name="cache"/>.</summary>
    /// <exception cref="ArgumentException">The cache has no room for them.</exception>
    public void Continue(KeyValueCache cache, int tokens)
    {
        ArgumentNullException.ThrowIfNull(cache);
        if (cache.Length + tokens > cache.Capacity)
        {
            throw new ArgumentException($"The cache holds {cache.Capacity} tokens; {cache.Length} are there and {tokens} more do not fit.", nameof(tokens));
        }

        Reserve(2, tokens);
        (_starts[0], _starts[1]) = (0, tokens);
        (Documents, Tokens, LongestDocument, Cache) = (1, tokens, cache.Length + tokens, cache);
        for (int i = 0; i < tokens; i++)
        {
            _positions[i] = cache.Length + i;
        }
    }

    private void Reserve(int starts, int tokens)
    {
        if (_starts.Length < starts)
        {
            _starts = new int[Math.Max(starts, 2 * _starts.Length)];
        }

        if (_positions.Length < tokens)
        {
            _positions = new int[Math.Max(tokens, 2 * _positions.Length)];
        }
    }
}
