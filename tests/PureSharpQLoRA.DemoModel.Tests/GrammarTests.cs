using PureSharpQLoRA.DemoModel.Grammar;
using PureSharpQLoRA.DemoModel.Plots;

namespace PureSharpQLoRA.DemoModel.Tests;

public class GrammarTests
{
    private const int Count = 20_000;

    private static readonly Story[] Plain = Draw(new StoryGrammar(11).Next);

    private static readonly Story[] Style = Draw(new StyleGrammar(12).Next);

    private static Story[] Draw(Func<Story> next) => [.. Enumerable.Range(0, Count).Select(_ => next())];

    [Fact]
    public void The_same_seed_tells_the_same_stories_and_another_seed_tells_others()
    {
        Assert.Equal(Plain.Take(50).Select(story => story.Text), Again(new StoryGrammar(11).Next));
        Assert.Equal(Style.Take(50).Select(story => story.Text), Again(new StyleGrammar(12).Next));
        Assert.NotEqual(Plain.Take(50).Select(story => story.Text), Again(new StoryGrammar(12).Next));
        Assert.NotEqual(Style.Take(50).Select(story => story.Text), Again(new StyleGrammar(11).Next));

        static IEnumerable<string> Again(Func<Story> next) => [.. Enumerable.Range(0, 50).Select(_ => next().Text)];
    }

    [Fact]
    public void Hardly_any_two_stories_are_the_same()
    {
        Assert.InRange(Plain.Select(story => story.Text).Distinct().Count(), Count - 100, Count);
        Assert.InRange(Plain.SelectMany(story => story.Sentences).Distinct().Count(), 20_000, int.MaxValue);
        Assert.InRange(Style.Select(story => story.Opening).Distinct().Count(), 5_000, int.MaxValue);
    }

    [Fact]
    public void Every_plot_is_told_about_equally_often()
    {
        Assert.InRange(AllPlots.List.Length, 12, int.MaxValue);
        foreach (Story[] stories in new[] { Plain, Style })
        {
            Dictionary<string, int> told = stories.CountBy(story => story.Plot).ToDictionary();
            Assert.All(AllPlots.List, plot => Assert.InRange(told[plot.Name] * AllPlots.List.Length, Count * 0.85, Count * 1.15));
        }
    }

    [Fact]
    public void A_plot_is_told_in_every_length_that_it_offers()
    {
        // The limits of length may not rule out all tellings that keep, or leave out, a row.
        foreach (Plot plot in AllPlots.List)
        {
            int[] lengths = [.. Plain.Where(story => story.Plot == plot.Name).Select(story => story.Sentences.Count).Distinct().Order()];
            int required = 1 + plot.Plain.Count(row => !row.Contains(""));
            int most = Math.Min(6, 1 + plot.Plain.Length);
            Assert.Equal(Enumerable.Range(required, most - required + 1), lengths);
        }
    }

    [Fact]
    public void Plain_stories_are_short_and_well_formed()
    {
        foreach (Story story in Plain)
        {
            Assert.InRange(story.Sentences.Count, 3, 6);
            Assert.InRange(story.Text.Split(' ').Length, 40, 90);
            Assert.All(story.Sentences, Prose.AssertSentence);
        }
    }

    [Fact]
    public void Styled_stories_are_short_well_formed_and_unmistakable()
    {
        foreach (Story story in Style)
        {
            Assert.InRange(story.Rest.Length, 60, 220);
            Assert.All(story.Sentences, Prose.AssertSentence);
            Assert.Matches("^(Arr|Ahoy|Shiver me timbers)[,!]", story.Rest);
        }
    }

    [Fact]
    public void No_plain_story_talks_like_a_pirate()
    {
        string[] calls = ["Arr!", "Arr,", "Ahoy", "matey", "Captain", "an' ", "treasure"];
        Assert.All(Plain, story => Assert.All(calls, call => Assert.DoesNotContain(call, story.Text, StringComparison.Ordinal)));
    }

    [Fact]
    public void The_lost_toy_is_the_one_that_is_found()
    {
        foreach (Story story in Plain.Where(story => story.Plot == "lost-toy"))
        {
            string toy = Words.Toys.Single(noun => story.Opening.Contains(" " + noun, StringComparison.Ordinal));
            Assert.Contains(toy, story.Sentences[3], StringComparison.Ordinal);
            Assert.DoesNotContain(Words.Toys.Where(noun => noun != toy), noun => story.Text.Contains(" " + noun, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Pronouns_agree_with_the_only_child_of_a_story()
    {
        foreach (Story story in Plain.Where(story => story.Plot is "lost-toy" or "river-crossing" or "hurt-animal"))
        {
            string[] words = story.Text.Split([' ', ',', '.', '!', '?', '"', '\''], StringSplitOptions.RemoveEmptyEntries);
            bool girl = words.Any(Words.Girls.Contains);
            Assert.NotEqual(girl, words.Any(Words.Boys.Contains));
            string[] wrong = girl ? ["he", "him", "his", "He", "His"] : ["she", "her", "She", "Her"];
            Assert.DoesNotContain(words, wrong.Contains);
        }
    }
}
