using System.Text.RegularExpressions;

namespace PureSharpQLoRA.DemoModel.Tests;

/// <summary>What every sentence of both grammars must be like.</summary>
internal static partial class Prose
{
    public static void AssertSentence(string sentence)
    {
        Assert.Matches(Whole(), sentence);
        Assert.DoesNotMatch(Stray(), sentence);
        Assert.DoesNotMatch(WrongArticle(), sentence);
        Assert.DoesNotMatch(RepeatedWord(), sentence.Replace("Yo ho ho", "Yo", StringComparison.Ordinal));
        Assert.True(sentence.Count(c => c == '"') % 2 == 0, $"A quotation is not closed: {sentence}");
    }

    /// <summary>A capital (or a quotation that begins with one), letters and plain punctuation, one mark at the end.</summary>
    [GeneratedRegex("""^"?[A-Z][A-Za-z ,.!?:'"]*[a-z]'?[.!?]"?$""")]
    private static partial Regex Whole();

    /// <summary>Spaces that are doubled or stand before a mark, doubled marks, and what is left of a template.</summary>
    [GeneratedRegex("""  | [,.!?:]|[,.!?:][,.!?:]|[{}\[\]|()]|[a-z][,.!?][a-z]""")]
    private static partial Regex Stray();

    [GeneratedRegex(@"\b[Aa] ([aeiouAEIOU]|hour)|\b[Aa]n (?!hour)[^aeiouAEIOU]")]
    private static partial Regex WrongArticle();

    [GeneratedRegex(@"\b([a-z]+) \1\b")]
    private static partial Regex RepeatedWord();
}
