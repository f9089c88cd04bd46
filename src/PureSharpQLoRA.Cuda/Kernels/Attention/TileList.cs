namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>
/// The tiles of rows that the blocks of a launch take, as triples of integers: first token and length of the document, first row of the tile
/// in it. Long-running tiles come first, so that the last blocks of a launch are short. The list is used again call after call.
/// </summary>
internal sealed class TileList
{
    /// <summary>Integers per tile.</summary>
    public const int Stride = 3;

    private int[] _values = new int[64];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Values => _values.AsSpan(0, Stride * Count);

    /// <summary>Cuts documents into tiles.</summary>
    /// <param name="starts">First token of each document, and the number of tokens.</param>
    /// <param name="rows">Rows per tile.</param>
    /// <param name="lastFirst">True where later rows take longer, as queries do; keys are seen by the more queries the earlier they come.</param>
    public void Cut(ReadOnlySpan<int> starts, int rows, bool lastFirst)
    {
        int longest = 0;
        for (int document = 0; document + 1 < starts.Length; document++)
        {
            longest = Math.Max(longest, starts[document + 1] - starts[document]);
        }

        Count = 0;
        int steps = (longest + rows - 1) / rows;
        for (int step = 0; step < steps; step++)
        {
            for (int document = 0; document + 1 < starts.Length; document++)
            {
                int length = starts[document + 1] - starts[document], tiles = (length + rows - 1) / rows;
                // Step s takes the tiles that have the same number of tiles on their long side.
                int tile = lastFirst ? steps - 1 - step : step - (steps - tiles);
                if (tile >= 0 && tile < tiles)
                {
                    Add(starts[document], length, tile * rows);
                }
            }
        }
    }

    private void Add(int start, int length, int first)
    {
        int place = Stride * Count++;
        if (place + Stride > _values.Length)
        {
            Array.Resize(ref _values, 2 * _values.Length);
        }

        (_values[place], _values[place + 1], _values[place + 2]) = (start, length, first);
    }
}
