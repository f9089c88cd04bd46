namespace PureSharpQLoRA.Generators.Emission;

/// <summary>One emitted file.</summary>
/// <param name="HintName">Its name: My.Models.TinyLlamaBlock.g.cs.</param>
/// <param name="Text">Its C# text.</param>
public sealed record EmittedSource(string HintName, string Text);
