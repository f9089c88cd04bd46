using PureSharpQLoRA.DemoModel.Plots;

namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>Writes short plain stories for children: the text the base model learns from.</summary>
public sealed class StoryGrammar(ulong seed)
{
    private const int MaximumSentences = 6;
    private const int MinimumWords = 40;
    private const int MaximumWords = 90;

    private readonly SplitMix64 _random = new(seed);

    /// <summary>The next story of 3 to 6 sentences and 40 to 90 words: an opening, then a sentence for each turn of the plot.</summary>
    public Story Next()
    {
        Plot plot = _random.Pick(AllPlots.List);
        Cast cast = new(plot, _random);
        string opening = Template.Expand(_random.Pick(plot.Openings), cast, _random);
        while (true)
        {
            // Rows that a plot can leave out are left out by chance; a telling that came out too long or too short is told again.
            List<string> sentences = [opening];
            foreach (string[] choices in plot.Plain)
            {
                string sentence = Template.Expand(_random.Pick(choices), cast, _random);
                if (sentence.Length > 0)
                {
                    sentences.Add(sentence);
                }
            }

            int words = sentences.Sum(sentence => sentence.Count(' '.Equals) + 1);
            if (sentences.Count <= MaximumSentences && words is >= MinimumWords and <= MaximumWords)
            {
                return new Story(plot.Name, sentences);
            }
        }
    }
}
