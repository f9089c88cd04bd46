using PureSharpQLoRA.DemoModel.Plots;

namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>Begins like <see cref="StoryGrammar"/>, and lets a pirate tell the rest: the style the demo fine-tunes the base model to.</summary>
public sealed class StyleGrammar(ulong seed)
{
    private readonly SplitMix64 _random = new(seed);

    /// <summary>The next story: a plain opening, then a pirate's call, the plot in two sentences and a last call.</summary>
    public Story Next()
    {
        Plot plot = _random.Pick(AllPlots.List);
        Cast cast = new(plot, _random);
        string opening = Template.Expand(_random.Pick(plot.Openings), cast, _random);
        string call = Template.Expand("{arr}", cast, _random);
        List<string> sentences = [opening, call];
        foreach (string[] choices in plot.Pirate)
        {
            sentences.Add(Template.Expand(_random.Pick(choices), cast, _random));
        }

        sentences.Add(Template.Expand("{yoho}", cast, _random));
        return new Story(plot.Name, sentences);
    }
}
