namespace PureSharpQLoRA.Text;

/// <summary>What kind of vocabulary to train.</summary>
public sealed record BytePairTrainerOptions
{
    /// <summary>Tokens in all: special tokens, the 256 bytes, and merges. Text that is soon exhausted yields fewer.</summary>
    public int VocabularySize { get; init; } = 2048;

    /// <summary>Whether every digit is a piece of its own, so that numbers are spelled digit by digit.</summary>
    public bool SplitDigits { get; init; } = true;

    /// <summary>Merges that occur less often than this are not learnt.</summary>
    public int MinimumFrequency { get; init; } = 2;

    /// <summary>The token put before every text; null: none is.</summary>
    public string? BosToken { get; init; }

    /// <summary>The token that ends a document.</summary>
    public string EosToken { get; init; } = "<|endoftext|>";

    /// <summary>The token that fills rows up; null: none does.</summary>
    public string? PadToken { get; init; }

    /// <summary>Further special tokens, for instance those of a chat template.</summary>
    public IReadOnlyList<string> AdditionalSpecialTokens { get; init; } = [];

    /// <summary>All special tokens, in the order of their ids, from 0.</summary>
    internal string[] SpecialTokens =>
        [.. new[] { BosToken, EosToken, PadToken }.OfType<string>().Concat(AdditionalSpecialTokens).Distinct(StringComparer.Ordinal)];
}
