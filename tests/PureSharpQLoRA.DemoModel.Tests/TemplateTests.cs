using PureSharpQLoRA.DemoModel.Grammar;
using PureSharpQLoRA.DemoModel.Plots;

namespace PureSharpQLoRA.DemoModel.Tests;

public class TemplateTests
{
    private static readonly Plot Empty = new()
    {
        Name = "test",
        Roles = [("vowel", ["owl"]), ("consonant", ["fox"]), ("nested", ["{vowel} [and] {consonant}"])],
        Openings = [],
        Plain = [],
        Pirate = [],
    };

    private static string Expand(string template, ulong seed = 1)
    {
        SplitMix64 random = new(seed);
        return Template.Expand(template, new Cast(Empty, random), random);
    }

    [Theory]
    [InlineData("A(n) {vowel} met a(n) {consonant}.", "An owl met a fox.")]
    [InlineData("{Nested}", "Owl and fox")]
    [InlineData("[one]", "one")]
    [InlineData("[[one]] two", "one two")]
    [InlineData("[]", "")]
    [InlineData("", "")]
    public void Templates_are_filled(string template, string expected) => Assert.Equal(expected, Expand(template));

    [Fact]
    public void Every_alternative_is_reached()
    {
        HashSet<string> seen = [];
        for (ulong seed = 0; seed < 100; seed++)
        {
            seen.Add(Expand("[a|b [c|d]|]", seed));
        }

        Assert.Equal(["", "a", "b c", "b d"], seen.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("{nobody}", "neither a role nor a phrase")]
    [InlineData("{hero", "not closed")]
    [InlineData("[a|b", "not closed")]
    [InlineData("a]", "never opened")]
    [InlineData("a}", "never opened")]
    public void A_mistake_in_a_template_is_named(string template, string message)
    {
        FormatException error = Assert.Throws<FormatException>(() => Expand(template));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Contains(template, error.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string> Plots() => new(AllPlots.List.Select(plot => plot.Name));

    /// <summary>Fills every sentence of every plot many times, also those a story rarely draws.</summary>
    [Theory]
    [MemberData(nameof(Plots))]
    public void Every_sentence_of_a_plot_is_well_formed(string name)
    {
        Plot plot = AllPlots.List.Single(candidate => candidate.Name == name);
        SplitMix64 random = new(5);
        for (int round = 0; round < 100; round++)
        {
            Cast cast = new(plot, random);
            foreach (string template in plot.Openings.Concat(plot.Plain.SelectMany(row => row)).Concat(plot.Pirate.SelectMany(row => row)))
            {
                string sentence = Template.Expand(template, cast, random);
                if (template.Length > 0)
                {
                    Prose.AssertSentence(sentence);
                }
            }
        }
    }
}
