using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>Unicode's canonical composition (NFC), with the tables of Hugging Face's library.</summary>
/// <remarks>
/// Unicode Standard, section 3.11. .NET's own <see cref="string.Normalize(NormalizationForm)"/> will not do: it refuses U+FFFE, does
/// nothing in globalization-invariant processes, and composes characters that the library does not know yet.
/// </remarks>
internal sealed class ComposingNormalizer : Normalizer
{
    /// <summary>Below it, no character changes or takes part in a composition as its second half.</summary>
    private const char FirstCombining = '\u0300';

    public override string Normalize(string text)
    {
        int first = text.AsSpan().IndexOfAnyInRange(FirstCombining, char.MaxValue);
        if (first < 0)
        {
            return text;
        }

        CanonicalComposition tables = CanonicalComposition.Instance;
        var codePoints = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            tables.Decompose(rune.Value, codePoints);
        }

        Order(codePoints, tables);
        Compose(codePoints, tables);

        var result = new StringBuilder(codePoints.Count);
        Span<char> units = stackalloc char[2];
        foreach (int codePoint in codePoints)
        {
            result.Append(units[..new Rune(codePoint).EncodeToUtf16(units)]);
        }

        return result.ToString();
    }

    public override string Normalize(string text, ref TextSpan[] spans)
    {
        string whole = Normalize(text);
        if (whole == text)
        {
            return whole;
        }

        // Between characters that never join, the parts can be normalised, and so be told apart, one by one.
        var result = new List<TextSpan>(whole.Length);
        for (int start = 0, end; start < text.Length; start = end)
        {
            end = PartEnd(text, start);
            string part = text[start..end];
            string normalized = Normalize(part);
            if (normalized == part)
            {
                result.AddRange(spans.AsSpan(start, part.Length));
            }
            else
            {
                result.AddRange(Enumerable.Repeat(Covering(spans, start, end), normalized.Length));
            }
        }

        spans = [.. result];
        return whole;
    }

    /// <summary>Where a character ends with all that may join it.</summary>
    private static int PartEnd(string text, int start)
    {
        CanonicalComposition tables = CanonicalComposition.Instance;
        int end = start;
        var parts = new List<int>();
        for (int before = -1; end < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(end), out Rune rune, out int units);
            parts.Clear();
            tables.Decompose(rune.Value, parts);
            int composed = -1;
            bool joins = tables.CombiningClass(parts[0]) != 0 || (before >= 0 && tables.TryCompose(before, parts[0], out composed));
            if (end > start && !joins)
            {
                break;
            }

            before = composed >= 0 && parts.Count == 1 ? composed : parts[^1];
            end += units;
        }

        return end;
    }

    /// <summary>Sorts every run of combining characters by class, keeping the order within a class.</summary>
    private static void Order(List<int> codePoints, CanonicalComposition tables)
    {
        for (int at = 0; at < codePoints.Count;)
        {
            int start = at;
            while (at < codePoints.Count && tables.CombiningClass(codePoints[at]) != 0)
            {
                at++;
            }

            if (at - start > 1)
            {
                int[] run = [.. codePoints.GetRange(start, at - start).OrderBy(tables.CombiningClass)];
                for (int i = 0; i < run.Length; i++)
                {
                    codePoints[start + i] = run[i];
                }
            }

            at = Math.Max(at, start + 1);
        }
    }

    /// <summary>Joins each starter with the combining characters after it that are not blocked.</summary>
    private static void Compose(List<int> codePoints, CanonicalComposition tables)
    {
        int starter = -1, kept = 0, lastClass = 0;
        for (int at = 0; at < codePoints.Count; at++)
        {
            int codePoint = codePoints[at], combining = tables.CombiningClass(codePoint);
            bool adjacent = kept == starter + 1;
            if (starter >= 0 && (adjacent || (lastClass != 0 && lastClass < combining))
                && tables.TryCompose(codePoints[starter], codePoint, out int composed))
            {
                codePoints[starter] = composed;
                continue;
            }

            if (combining == 0)
            {
                starter = kept;
            }

            lastClass = combining;
            codePoints[kept++] = codePoint;
        }

        codePoints.RemoveRange(kept, codePoints.Count - kept);
    }
}
