namespace PureSharpQLoRA.DemoModel.Grammar;

/// <summary>A story in its sentences. The first sentence is the opening: in the style data set it is the prompt.</summary>
public sealed record Story(string Plot, IReadOnlyList<string> Sentences)
{
    /// <summary>The first sentence.</summary>
    public string Opening => Sentences[0];

    /// <summary>All sentences after the first, joined by spaces.</summary>
    public string Rest => string.Join(' ', Sentences.Skip(1));

    /// <summary>The whole story.</summary>
    public string Text => string.Join(' ', Sentences);
}
