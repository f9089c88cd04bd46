namespace PureSharpQLoRA.Cli.Options;

/// <summary>Finds what somebody who mistyped a name probably meant.</summary>
internal static class Suggestion
{
    /// <summary>" Did you mean X?" with the nearest name, or "" where none is near.</summary>
    public static string For(string written, IEnumerable<string> names)
    {
        string? nearest = Nearest(written, names);
        return nearest is null ? "" : $" Did you mean {nearest}?";
    }

    public static string? Nearest(string written, IEnumerable<string> names)
    {
        string? nearest = null;
        int least = int.MaxValue;
        foreach (string name in names)
        {
            int distance = Distance(written.ToLowerInvariant(), name.ToLowerInvariant());
            if (distance < least)
            {
                (nearest, least) = (name, distance);
            }
        }

        string bare = written.Trim('-');
        if (least <= Math.Max(2, bare.Length / 3))
        {
            return nearest;
        }

        // A part of a long name, as in --batch-size.
        return bare.Length < 3 ? null : names.FirstOrDefault(name => name.Contains(bare, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that turn one word into another.</summary>
    public static int Distance(string left, string right)
    {
        var rows = new int[left.Length + 1, right.Length + 1];
        for (int i = 0; i <= left.Length; i++)
        {
            rows[i, 0] = i;
        }

        for (int j = 0; j <= right.Length; j++)
        {
            rows[0, j] = j;
        }

        for (int i = 1; i <= left.Length; i++)
        {
            for (int j = 1; j <= right.Length; j++)
            {
                int replaced = rows[i - 1, j - 1] + (left[i - 1] == right[j - 1] ? 0 : 1);
                int best = Math.Min(replaced, Math.Min(rows[i - 1, j], rows[i, j - 1]) + 1);
                if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                {
                    best = Math.Min(best, rows[i - 2, j - 2] + 1);
                }

                rows[i, j] = best;
            }
        }

        return rows[left.Length, right.Length];
    }
}
