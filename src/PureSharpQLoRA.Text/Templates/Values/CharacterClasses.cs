using System.Globalization;
using System.Text;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>Python's classes of characters, where they differ from .NET's.</summary>
internal static class CharacterClasses
{
    /// <summary>What strip() and split() take for white space: .NET's set and the separators U+001C to U+001F.</summary>
    public static bool IsSpace(char unit) => char.IsWhiteSpace(unit) || unit is >= '\u001C' and <= '\u001F';

    public static bool IsLineBreak(char unit) => unit is >= '\n' and <= '\r' or >= '\u001C' and <= '\u001E' or '\u0085' or '\u2028' or '\u2029';

    /// <summary>Whether repr() shows a character as itself.</summary>
    public static bool IsPrintable(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator
        or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpaceSeparator);

    /// <summary>Whether a character may begin an identifier.</summary>
    public static bool IsNameStart(char unit) => unit == '_' || char.IsLetter(unit);

    /// <summary>Whether a character may go on an identifier.</summary>
    public static bool IsNamePart(char unit) => unit == '_' || char.IsLetterOrDigit(unit)
        || char.GetUnicodeCategory(unit) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.ConnectorPunctuation;
}
