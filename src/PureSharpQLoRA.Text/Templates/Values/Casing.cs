using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Upper, lower and title case as Python has them: full mappings, which may change the length of a text.</summary>
internal static partial class Casing
{
    private const int CapitalSigma = 0x3A3, CapitalDottedI = 0x130;

    private static readonly Dictionary<int, string> SpecialUpper = Read(UpperTable), SpecialTitle = Read(TitleTable);

    public static string Upper(string text) => Ascii.IsValid(text) ? text.ToUpperInvariant() : Map(text, static (_, _, rune) => UpperOf(rune));

    public static string Lower(string text) => Ascii.IsValid(text) ? text.ToLowerInvariant() : Map(text, LowerAt);

    public static string Swap(string text) => Map(text, static (whole, at, rune) => Rune.GetUnicodeCategory(rune) == UnicodeCategory.LowercaseLetter ? UpperOf(rune)
        : Rune.GetUnicodeCategory(rune) == UnicodeCategory.UppercaseLetter ? LowerAt(whole, at, rune) : rune.ToString());

    /// <summary>The first character in title case, the others in lower case.</summary>
    public static string Capitalize(string text) => Map(text, static (whole, at, rune) => at == 0 ? TitleOf(rune) : LowerAt(whole, at, rune));

    /// <summary>The first letter of every run of letters in title case, the others in lower case.</summary>
    public static string Title(string text)
    {
        bool within = false;
        return Map(text, (whole, at, rune) =>
        {
            string result = within ? LowerAt(whole, at, rune) : TitleOf(rune);
            within = IsCased(rune);
            return result;
        });
    }

    private static string UpperOf(Rune rune) => SpecialUpper.TryGetValue(rune.Value, out string? special) ? special : Rune.ToUpperInvariant(rune).ToString();

    private static string TitleOf(Rune rune) => SpecialTitle.TryGetValue(rune.Value, out string? special) ? special : UpperOf(rune);

    private static string LowerAt(string text, int at, Rune rune) => rune.Value switch
    {
        CapitalSigma => IsLastOfWord(text, at) ? "ς" : "σ",
        CapitalDottedI => "i\u0307",
        _ => Rune.ToLowerInvariant(rune).ToString(),
    };

    /// <summary>Whether a letter stands before and none after, apart from characters that do not count.</summary>
    private static bool IsLastOfWord(string text, int at)
    {
        int before = at, after = at + 1;
        while (before > 0 && IsIgnorable(text[before - 1]))
        {
            before--;
        }

        while (after < text.Length && IsIgnorable(text[after]))
        {
            after++;
        }

        return Rune.DecodeLastFromUtf16(text.AsSpan(0, before), out Rune previous, out _) == System.Buffers.OperationStatus.Done && IsCased(previous)
            && !(Rune.DecodeFromUtf16(text.AsSpan(after), out Rune next, out _) == System.Buffers.OperationStatus.Done && IsCased(next));
    }

    private static bool IsIgnorable(char unit) => unit is '\'' or '.' or ':' or '^' or '`' or '\u00B7' or '\u2019'
        || char.GetUnicodeCategory(unit) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol;

    private static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || rune.Value is 0xAA or 0xBA or (>= 0x24B6 and <= 0x24E9) or (>= 0x2160 and <= 0x217F);

    private static string Map(string text, Func<string, int, Rune, string> change)
    {
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            if (Rune.TryGetRuneAt(text, at, out Rune rune))
            {
                result.Append(change(text, at, rune));
                at += rune.Utf16SequenceLength;
            }
            else
            {
                result.Append(text[at++]);
            }
        }

        return result.ToString();
    }

    private static Dictionary<int, string> Read(string table) => table.Split(' ').Select(static entry => entry.Split(':')).ToDictionary(
        static parts => Code(parts[0]), static parts => string.Concat(parts[1].Split('+').Select(static code => char.ConvertFromUtf32(Code(code)))));

    private static int Code(string hexadecimal) => int.Parse(hexadecimal, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
