namespace PureSharpQLoRA.Transformers.Generation;

/// <summary>How the next token is chosen; names and meaning follow transformers' GenerationConfig.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens to add (max_new_tokens).</summary>
    public int MaxNewTokens { get; init; } = 128;

    /// <summary>Divides the logits; 0 chooses the most likely token, which is greedy decoding (temperature).</summary>
    public double Temperature { get; init; }

    /// <summary>Only the k most likely tokens are drawn; 0 for all (top_k).</summary>
    public int TopK { get; init; }

    /// <summary>Only the most likely tokens that together have this probability are drawn (top_p; Holtzman et al. 2019, arXiv:1904.09751).</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Logits of tokens that are there already are divided by it, or multiplied where negative; 1 for none (repetition_penalty; Keskar et al. 2019, arXiv:1909.05858).</summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>The same seed draws the same tokens.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Ids that end the text; they are not part of it.</summary>
    public IReadOnlyList<int> StopIds { get; init; } = [];

    /// <summary>Checks the values.</summary>
    /// <exception cref="ArgumentException">A value makes no sense; the message names it.</exception>
    public void Validate()
    {
        Require(MaxNewTokens >= 1, "max_new_tokens", MaxNewTokens, "at least 1");
        Require(Temperature >= 0 && double.IsFinite(Temperature), "temperature", Temperature, "0 or above");
        Require(TopK >= 0, "top_k", TopK, "0 or above");
        Require(TopP is > 0 and <= 1, "top_p", TopP, "above 0 and at most 1");
        Require(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), "repetition_penalty", RepetitionPenalty, "above 0");
    }

    private static void Require(bool holds, string name, double value, string expected)
    {
        if (!holds)
        {
            throw new ArgumentException(FormattableString.Invariant($"{name} must be {expected}, not {value}."));
        }
    }
}
