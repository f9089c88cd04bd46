namespace PureSharpQLoRA.Text.Templates;

/// <summary>A merge sort: it keeps the order of equal elements, and lets the faults of comparisons through, which .NET's sorts wrap.</summary>
internal static class StableSort
{
    public static T[] Sorted<T>(T[] items, Comparison<T> order)
    {
        T[] from = [.. items], to = new T[items.Length];
        for (int width = 1; width < items.Length; width *= 2)
        {
            for (int start = 0; start < items.Length; start += 2 * width)
            {
                int middle = Math.Min(start + width, items.Length), end = Math.Min(start + (2 * width), items.Length);
                for (int at = start, left = start, right = middle; at < end; at++)
                {
                    to[at] = right == end || (left < middle && order(from[left], from[right]) <= 0) ? from[left++] : from[right++];
                }
            }

            (from, to) = (to, from);
        }

        return from;
    }
}
