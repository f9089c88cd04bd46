using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Generation;

/// <summary>Chooses tokens from logits. The order is that of transformers: repetition penalty, temperature, top-k, top-p, then the draw.</summary>
public sealed class Sampler
{
    private readonly GenerationOptions _options;
    private readonly bool[] _seen;
    private readonly List<int> _seenIds = [];
    private readonly float[] _values;
    private readonly int[] _ids;
    private ulong _draws;

    /// <summary>A sampler for logits of a vocabulary.</summary>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public Sampler(GenerationOptions options, int vocabularySize)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, 1);
        options.Validate();
        _options = options;
        _seen = new bool[vocabularySize];
        _values = new float[vocabularySize];
        _ids = new int[vocabularySize];
    }

    /// <summary>Notes tokens that are there, for the repetition penalty.</summary>
    public void Observe(ReadOnlySpan<int> ids)
    {
        foreach (int id in ids)
        {
            if (!_seen[id])
            {
                _seen[id] = true;
                _seenIds.Add(id);
            }
        }
    }

    /// <summary>Chooses the next token, and notes it.</summary>
    /// <param name="logits">[vocabulary]; changed.</param>
    public int Next(Span<float> logits)
    {
        if (logits.Length != _seen.Length)
        {
            throw new ShapeException("Sampler", "the logits", $"[{_seen.Length}]", $"[{logits.Length}]");
        }

        Penalize(logits);
        int id = _options.Temperature == 0 ? Largest(logits) : Draw(logits);
        Observe([id]);
        return id;
    }

    private static int Largest(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best])
            {
                best = i;
            }
        }

        return best;
    }

    private void Penalize(Span<float> logits)
    {
        float penalty = (float)_options.RepetitionPenalty;
        if (penalty == 1)
        {
            return;
        }

        foreach (int id in _seenIds)
        {
            logits[id] = logits[id] < 0 ? logits[id] * penalty : logits[id] / penalty;
        }
    }

    private int Draw(ReadOnlySpan<float> logits)
    {
        // Candidates by falling likelihood, negated for the sort; ties by the lower id, so that the draw is the same everywhere.
        for (int i = 0; i < logits.Length; i++)
        {
            _values[i] = (float)(-logits[i] / _options.Temperature);
            _ids[i] = i;
        }

        int count = _options.TopK > 0 ? Math.Min(_options.TopK, logits.Length) : logits.Length;
        if (count < logits.Length)
        {
            KeepSmallest(count);
        }

        Span<float> values = _values.AsSpan(0, count);
        Span<int> ids = _ids.AsSpan(0, count);
        if (_options.TopP < 1 || count < logits.Length)
        {
            values.Sort(ids);
        }

        float best = values[0];
        foreach (float value in values)
        {
            best = Math.Min(best, value);
        }

        double total = 0;
        foreach (float value in values)
        {
            total += Math.Exp(best - value);
        }

        double kept = total;
        if (_options.TopP < 1)
        {
            kept = 0;
            int keep = 0;
            while (keep < count && kept < _options.TopP * total)
            {
                kept += Math.Exp(best - values[keep++]);
            }

            count = keep;
        }

        double target = (Philox.Bits(_options.Seed, _draws++) >> 11) * (kept / (1L << 53));
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            sum += Math.Exp(best - values[i]);
            if (sum > target)
            {
                return ids[i];
            }
        }

        return ids[count - 1];
    }

    /// <summary>Brings the smallest values, with their ids, to the front: a heap of the smallest so far, the largest of them on top.</summary>
    private void KeepSmallest(int count)
    {
        for (int i = (count / 2) - 1; i >= 0; i--)
        {
            SiftDown(i, count);
        }

        for (int i = count; i < _values.Length; i++)
        {
            if (_values[i] < _values[0])
            {
                (_values[0], _values[i]) = (_values[i], _values[0]);
                (_ids[0], _ids[i]) = (_ids[i], _ids[0]);
                SiftDown(0, count);
            }
        }
    }

    private void SiftDown(int root, int count)
    {
        while ((2 * root) + 1 is var child && child < count)
        {
            if (child + 1 < count && _values[child + 1] > _values[child])
            {
                child++;
            }

            if (_values[root] >= _values[child])
            {
                return;
            }

            (_values[root], _values[child]) = (_values[child], _values[root]);
            (_ids[root], _ids[child]) = (_ids[child], _ids[root]);
            root = child;
        }
    }
}
