using System.Numerics;

namespace PureSharpQLoRA.Text;

/// <summary>Puts examples into rows of limited length: the longest first, each into the row it fills best (best fit decreasing).</summary>
/// <remarks>Ding et al. 2024, "Fewer truncations improve language modeling". O(n (log n + length / 64)).</remarks>
internal static class Packer
{
    /// <returns>The examples of each row, in their order; rows in the order of their first examples.</returns>
    /// <exception cref="ArgumentException">An example is longer than a row.</exception>
    public static int[][] Pack(IReadOnlyList<Example> examples, int length)
    {
        long[] order = new long[examples.Count];
        for (int i = 0; i < order.Length; i++)
        {
            int tokens = examples[i].Ids.Length;
            if (tokens > length)
            {
                throw new ArgumentException($"Example {i} has {tokens} tokens and does not fit in a packed row of {length}; read the data set with that max_length.", nameof(examples));
            }

            // Longest first; of equals, the earlier one.
            order[i] = ((long)(length - tokens) << 32) | (uint)i;
        }

        Array.Sort(order);
        var rows = new List<List<int>>();
        var bySpace = new Stack<int>?[length + 1];
        ulong[] occupied = new ulong[(length / 64) + 1];
        foreach (long entry in order)
        {
            int example = (int)(uint)entry, tokens = length - (int)(entry >> 32);
            int space = FirstFrom(occupied, tokens);
            int row = space < 0 ? rows.Count : bySpace[space]!.Pop();
            if (space < 0)
            {
                space = length;
                rows.Add([]);
            }
            else if (bySpace[space]!.Count == 0)
            {
                occupied[space / 64] &= ~(1UL << (space % 64));
            }

            rows[row].Add(example);
            space -= tokens;
            (bySpace[space] ??= new Stack<int>()).Push(row);
            occupied[space / 64] |= 1UL << (space % 64);
        }

        int[][] packed = new int[rows.Count][];
        for (int i = 0; i < packed.Length; i++)
        {
            rows[i].Sort();
            packed[i] = [.. rows[i]];
        }

        Array.Sort(packed, static (left, right) => left[0].CompareTo(right[0]));
        return packed;
    }

    /// <summary>The lowest set bit at or above a place, or -1.</summary>
    private static int FirstFrom(ulong[] bits, int from)
    {
        ulong mask = ulong.MaxValue << (from % 64);
        for (int word = from / 64; word < bits.Length; word++, mask = ulong.MaxValue)
        {
            if ((bits[word] & mask) is var found and not 0)
            {
                return (word * 64) + BitOperations.TrailingZeroCount(found);
            }
        }

        return -1;
    }
}
