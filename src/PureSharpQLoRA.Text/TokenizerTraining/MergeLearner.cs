using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Text;

/// <summary>The words of a training text as symbols, with the counts of adjacent pairs kept up to date from merge to merge.</summary>
internal sealed class MergeLearner
{
    private readonly List<Word> _words = [];
    private readonly Dictionary<ulong, long> _counts = [];
    private readonly Dictionary<ulong, List<int>> _places = [];
    private readonly PriorityQueue<ulong, (long NegativeCount, ulong Pair)> _queue = new();
    private readonly HashSet<ulong> _grown = [];

    /// <param name="pieces">Words in the byte alphabet, with how often each occurs.</param>
    /// <param name="firstByteId">The id of byte 0; those of the other bytes follow.</param>
    public MergeLearner(Dictionary<string, int> pieces, int firstByteId)
    {
        foreach ((string piece, int count) in pieces)
        {
            int[] symbols = new int[piece.Length];
            for (int i = 0; i < symbols.Length; i++)
            {
                _ = ByteAlphabet.TryToByte(piece[i], out byte value);
                symbols[i] = firstByteId + value;
            }

            _words.Add(new Word(symbols, symbols.Length, count));
            for (int i = 0; i + 1 < symbols.Length; i++)
            {
                Count(Pair(symbols[i], symbols[i + 1]), count, _words.Count - 1);
            }
        }

        QueueGrown();
    }

    /// <summary>The most frequent pair that occurs at least so often; of equals, the one with the lowest ids.</summary>
    public (int Left, int Right)? MostFrequent(int minimum)
    {
        while (_queue.TryDequeue(out ulong pair, out (long NegativeCount, ulong Pair) queued))
        {
            long count = _counts.GetValueOrDefault(pair);
            if (count < Math.Max(minimum, 1))
            {
                continue;
            }

            if (count == -queued.NegativeCount)
            {
                return ((int)(pair >> 32), (int)(uint)pair);
            }

            // Queued when it was more frequent than now; where it has grown since, it was queued again.
            if (count < -queued.NegativeCount)
            {
                _queue.Enqueue(pair, (-count, pair));
            }
        }

        return null;
    }

    /// <summary>Replaces a pair by one symbol wherever it occurs.</summary>
    public void Merge(int left, int right, int merged)
    {
        ulong pair = Pair(left, right);
        if (!_places.Remove(pair, out List<int>? places))
        {
            return;
        }

        foreach (int place in places.Distinct())
        {
            MergeIn(place, left, right, merged);
        }

        _counts.Remove(pair);
        QueueGrown();
    }

    private void MergeIn(int place, int left, int right, int merged)
    {
        Word word = _words[place];
        int[] symbols = word.Symbols;
        int kept = 0;
        for (int at = 0; at < word.Length; at++)
        {
            if (at + 1 >= word.Length || symbols[at] != left || symbols[at + 1] != right)
            {
                symbols[kept++] = symbols[at];
                continue;
            }

            if (kept > 0)
            {
                Count(Pair(symbols[kept - 1], left), -word.Count, place);
                Count(Pair(symbols[kept - 1], merged), word.Count, place);
            }

            if (at + 2 < word.Length)
            {
                Count(Pair(right, symbols[at + 2]), -word.Count, place);
                Count(Pair(merged, symbols[at + 2]), word.Count, place);
            }

            symbols[kept++] = merged;
            at++;
        }

        _words[place] = word with { Length = kept };
    }

    private void Count(ulong pair, long change, int place)
    {
        CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _) += change;
        if (change > 0)
        {
            (CollectionsMarshal.GetValueRefOrAddDefault(_places, pair, out _) ??= []).Add(place);
            _grown.Add(pair);
        }
    }

    private void QueueGrown()
    {
        foreach (ulong pair in _grown)
        {
            long count = _counts.GetValueOrDefault(pair);
            if (count > 0)
            {
                _queue.Enqueue(pair, (-count, pair));
            }
        }

        _grown.Clear();
    }

    private static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    /// <summary>A word's symbols, of which the first <paramref name="Length"/> are in use, and how often it occurs.</summary>
    private readonly record struct Word(int[] Symbols, int Length, int Count);
}
