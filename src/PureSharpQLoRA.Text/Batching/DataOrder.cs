namespace PureSharpQLoRA.Text;

/// <summary>In which order an epoch visits its rows; the same on every machine and runtime for the same seed and epoch.</summary>
public sealed class DataOrder
{
    private readonly int[] _order;
    private readonly ulong _seed;
    private readonly bool _shuffle;
    private int _epoch = -1;

    /// <summary>Creates an order.</summary>
    /// <param name="count">The number of rows.</param>
    /// <param name="seed">The seed; every epoch has a shuffle of its own under it.</param>
    /// <param name="shuffle">Whether rows are shuffled at all; otherwise they keep their order.</param>
    public DataOrder(int count, ulong seed, bool shuffle)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        (_order, _seed, _shuffle) = (new int[count], seed, shuffle);
    }

    /// <summary>The rows of an epoch in order, [count]; valid until another epoch is asked for.</summary>
    /// <param name="epoch">The epoch, from 0.</param>
    public ReadOnlySpan<int> Epoch(int epoch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        if (epoch != _epoch)
        {
            Fill(epoch);
            _epoch = epoch;
        }

        return _order;
    }

    /// <summary>Fisher and Yates's shuffle of the identity.</summary>
    private void Fill(int epoch)
    {
        for (int i = 0; i < _order.Length; i++)
        {
            _order[i] = i;
        }

        if (!_shuffle)
        {
            return;
        }

        var random = new Xoshiro256(_seed, (ulong)epoch);
        for (int i = _order.Length - 1; i > 0; i--)
        {
            int j = random.Below(i + 1);
            (_order[i], _order[j]) = (_order[j], _order[i]);
        }
    }
}
