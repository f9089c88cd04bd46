using PureSharpQLoRA.Cli.Running;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class StopFilterTests
{
    [Theory]
    [InlineData("one two three", "one ", "two")]
    [InlineData("one two three", "one two three", "four")]
    [InlineData("aab aaab", "", "aab")]
    [InlineData("x\n\nUser: hi", "x\n\n", "\n\nUser:", "User")]
    [InlineData("x\n\nUser: hi", "x", "\n\nUser:", "User:")]
    [InlineData("ends with a sto", "ends with a sto", "stop")]
    public void Text_ends_before_the_first_stop_string_wherever_pieces_are_cut(string text, string expected, params string[] stops)
    {
        for (int size = 1; size <= text.Length; size++)
        {
            string shown = "";
            var filter = new StopFilter(stops, piece => shown += piece);
            for (int i = 0; i < text.Length && filter.Add(text[i..Math.Min(text.Length, i + size)]); i += size)
            {
                Assert.True(expected.StartsWith(shown, StringComparison.Ordinal), shown);
            }

            if (!filter.IsStopped)
            {
                filter.Flush();
            }

            Assert.Equal(expected, shown);
            Assert.Equal(expected, filter.Text);
        }
    }
}
