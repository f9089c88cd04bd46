namespace PureSharpQLoRA.Text.Tests;

public class ComponentTests
{
    [Theory]
    [InlineData("  a b  ", 1, 1, " a b ")]
    [InlineData("  a", 3, 0, "a")]
    [InlineData("a    ", 0, 2, "a  ")]
    [InlineData("a  b", 2, 2, "a  b")]
    [InlineData("   ", 1, 1, " ")]
    public void Strip_cuts_so_many_of_its_character_however_the_token_arrives(string text, int start, int stop, string expected)
    {
        for (int cut = 0; cut <= text.Length; cut++)
        {
            var strip = new StripDecoder(' ', start, stop);
            var parts = new List<TextPart>();
            strip.Push(new TextPart(text[..cut], Starts: true, Ends: false), parts);
            strip.Push(new TextPart(text[cut..], Starts: false, Ends: true), parts);
            Assert.Equal(expected, string.Concat(parts.Select(part => part.Text)));
        }
    }

    [Theory]
    [InlineData("a1½Ⅷ𝟘b", "a|1|½|Ⅷ|𝟘|b")]
    [InlineData("\U00011DE0\U00016FF4x", "\U00011DE0|\U00016FF4|x")]
    public void Every_number_character_is_one_match(string text, string expected) => Assert.Equal(expected, Cut(new NumericPattern(), text));

    [Theory]
    [InlineData(@"\p{L}+", "a𝐀𐐷1", "a𝐀𐐷|1")]
    [InlineData(@"\P{L}+", "a𝐀12", "a𝐀|12")]
    [InlineData(@"[^\s\p{L}\p{N}]+", "😀👍 a", "😀👍| a")]
    [InlineData(@"\p{N}", "𝟘𝟙", "𝟘|𝟙")]
    [InlineData(@".", "😀a", "😀|a")]
    [InlineData("[一-龥]+", "漢字𠀀かな", "漢字|𠀀かな")]
    [InlineData(@"(?i:'s)", "'s'S'ſ's", "'s|'S|'ſ|'s")]
    [InlineData(@"a++b|a", "aaab aa", "aaab| |a|a")]
    [InlineData(@"\x{41}|\u0042|\t", "AB\tC", "A|B|\t|C")]
    [InlineData(@"a{2,3}?", "aaaa", "aa|aa")]
    [InlineData(@"\s+(?!\S)|\s+", "a   b  ", "a|  | |b|  ")]
    [InlineData(@"[\]\-x]", "a]-x", "a|]|-|x")]
    public void Patterns_match_code_points(string pattern, string text, string expected) => Assert.Equal(expected, Cut(new RegexPattern(pattern, default), text));

    private static string Cut(SplitPattern pattern, string text)
    {
        var spans = new List<PatternSpan>();
        pattern.Cut(text, spans);
        return string.Join('|', spans.Select(span => text.Substring(span.Start, span.Length)));
    }
}
