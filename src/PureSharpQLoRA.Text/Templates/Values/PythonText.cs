using System.Buffers;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's view of text: a sequence of code points, where .NET's is one of UTF-16 halves.</summary>
internal static class PythonText
{
    private static readonly object[] Ascii = [.. Enumerable.Range(0, 128).Select(value => (object)((char)value).ToString())];

    /// <summary>Whether every character is one UTF-16 unit, so that indices are the same on both sides.</summary>
    public static bool IsSimple(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0;

    public static int Length(string text)
    {
        int at = text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF');
        if (at < 0)
        {
            return text.Length;
        }

        int count = at;
        for (; at < text.Length; at += UnitsAt(text, at))
        {
            count++;
        }

        return count;
    }

    public static IEnumerable<object> Characters(string text)
    {
        for (int at = 0; at < text.Length;)
        {
            int units = UnitsAt(text, at);
            yield return units == 1 && text[at] < 128 ? Ascii[text[at]] : text.Substring(at, units);
            at += units;
        }
    }

    /// <summary>The UTF-16 index of a code point's index.</summary>
    public static int Offset(string text, int index)
    {
        if (IsSimple(text))
        {
            return Math.Min(index, text.Length);
        }

        int at = 0;
        for (; index > 0 && at < text.Length; index--)
        {
            at += UnitsAt(text, at);
        }

        return at;
    }

    /// <summary>The code point's index of a UTF-16 index.</summary>
    public static int Index(string text, int offset) => IsSimple(text) ? offset : Length(text[..offset]);

    public static string? CharacterAt(string text, int index)
    {
        int length = Length(text);
        index = index < 0 ? index + length : index;
        if (index < 0 || index >= length)
        {
            return null;
        }

        int at = Offset(text, index);
        return text.Substring(at, UnitsAt(text, at));
    }

    /// <summary>The order of code points, which is not that of UTF-16 units above U+D800.</summary>
    public static int Compare(string left, string right)
    {
        int common = left.AsSpan().CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        char a = left[common], b = right[common];
        bool aHalf = char.IsSurrogate(a), bHalf = char.IsSurrogate(b);
        return aHalf != bHalf && IsPaired(aHalf ? left : right, common) ? (aHalf ? 1 : -1) : a.CompareTo(b);
    }

    public static string Strip(string text, string? characters, bool start, bool end)
    {
        int from = 0, to = text.Length;
        if (characters is null)
        {
            while (start && from < to && CharacterClasses.IsSpace(text[from]))
            {
                from++;
            }

            while (end && to > from && CharacterClasses.IsSpace(text[to - 1]))
            {
                to--;
            }

            return text[from..to];
        }

        HashSet<Rune> set = [.. characters.EnumerateRunes()];
        while (start && from < to && Rune.DecodeFromUtf16(text.AsSpan(from, to - from), out Rune first, out int length) == OperationStatus.Done && set.Contains(first))
        {
            from += length;
        }

        while (end && to > from && Rune.DecodeLastFromUtf16(text.AsSpan(from, to - from), out Rune last, out int length) == OperationStatus.Done && set.Contains(last))
        {
            to -= length;
        }

        return text[from..to];
    }

    /// <summary>The words between white space, or the parts between separators; at most <paramref name="most"/> cuts, unless that is negative.</summary>
    public static List<string> Split(string text, string? separator, int most)
    {
        var parts = new List<string>();
        if (separator is not null)
        {
            int from = 0;
            for (int at; most != 0 && (at = text.IndexOf(separator, from, StringComparison.Ordinal)) >= 0; most--)
            {
                parts.Add(text[from..at]);
                from = at + separator.Length;
            }

            parts.Add(text[from..]);
            return parts;
        }

        for (int at = 0; ; most--)
        {
            while (at < text.Length && CharacterClasses.IsSpace(text[at]))
            {
                at++;
            }

            if (at == text.Length)
            {
                return parts;
            }

            if (most == 0)
            {
                parts.Add(Strip(text[at..], null, start: false, end: true));
                return parts;
            }

            int start = at;
            while (at < text.Length && !CharacterClasses.IsSpace(text[at]))
            {
                at++;
            }

            parts.Add(text[start..at]);
        }
    }

    /// <summary>As <see cref="Split"/>, cutting from the end.</summary>
    public static List<string> SplitFromEnd(string text, string? separator, int most)
    {
        var parts = new List<string>();
        if (separator is not null)
        {
            int to = text.Length;
            for (int at; most != 0 && (at = text.AsSpan(0, to).LastIndexOf(separator)) >= 0; most--)
            {
                parts.Add(text[(at + separator.Length)..to]);
                to = at;
            }

            parts.Add(text[..to]);
            parts.Reverse();
            return parts;
        }

        for (int at = text.Length; ; most--)
        {
            while (at > 0 && CharacterClasses.IsSpace(text[at - 1]))
            {
                at--;
            }

            if (at == 0 || most == 0)
            {
                if (at > 0)
                {
                    parts.Add(Strip(text[..at], null, start: true, end: false));
                }

                parts.Reverse();
                return parts;
            }

            int end = at;
            while (at > 0 && !CharacterClasses.IsSpace(text[at - 1]))
            {
                at--;
            }

            parts.Add(text[at..end]);
        }
    }

    public static List<string> Lines(string text, bool keepEnds = false)
    {
        var lines = new List<string>();
        for (int at = 0; at < text.Length;)
        {
            int end = at;
            while (end < text.Length && !CharacterClasses.IsLineBreak(text[end]))
            {
                end++;
            }

            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            lines.Add(text[at..(keepEnds ? next : end)]);
            at = next;
        }

        return lines;
    }

    /// <summary>Replaces from the start, at most so many times unless that is negative; an empty text is found between all characters.</summary>
    public static string Replace(string text, string old, string replacement, int most)
    {
        if (old.Length > 0 && most < 0)
        {
            return text.Replace(old, replacement, StringComparison.Ordinal);
        }

        var result = new StringBuilder();
        int from = 0;
        if (old.Length == 0)
        {
            for (; most != 0 && from <= text.Length; most--)
            {
                result.Append(replacement);
                int units = from < text.Length ? UnitsAt(text, from) : 0;
                result.Append(text, from, units);
                from += Math.Max(units, 1);
            }

            return result.Append(text, Math.Min(from, text.Length), Math.Max(text.Length - from, 0)).ToString();
        }

        for (int at; most != 0 && (at = text.IndexOf(old, from, StringComparison.Ordinal)) >= 0; most--)
        {
            result.Append(text, from, at - from).Append(replacement);
            from = at + old.Length;
        }

        return result.Append(text, from, text.Length - from).ToString();
    }

    public static int CountOf(string text, string part)
    {
        if (part.Length == 0)
        {
            return Length(text) + 1;
        }

        int count = 0;
        for (int at = 0; (at = text.IndexOf(part, at, StringComparison.Ordinal)) >= 0; at += part.Length)
        {
            count++;
        }

        return count;
    }

    /// <summary>UTF-16 units of the character at an offset.</summary>
    public static int UnitsAt(string text, int at) => at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1]) ? 2 : 1;

    private static bool IsPaired(string text, int at) =>
        (at + 1 < text.Length && char.IsSurrogatePair(text[at], text[at + 1])) || (at > 0 && char.IsSurrogatePair(text[at - 1], text[at]));
}
