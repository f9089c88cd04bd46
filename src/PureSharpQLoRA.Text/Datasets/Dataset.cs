namespace PureSharpQLoRA.Text;

/// <summary>The examples of a data set, in the order of its files.</summary>
/// <param name="Examples">The examples; none has fewer than two tokens, as a single token predicts nothing.</param>
/// <param name="Statistics">Counts of what was read.</param>
public sealed record Dataset(IReadOnlyList<Example> Examples, DatasetStatistics Statistics);

/// <summary>Counts of what was read from a data set.</summary>
/// <param name="Records">Records in the files.</param>
/// <param name="Tokens">Tokens of the examples, after truncation.</param>
/// <param name="TargetTokens">Tokens that are predicted and learnt.</param>
/// <param name="LongestExample">Tokens of the longest example, after truncation.</param>
/// <param name="Truncated">Examples that were longer than the limit.</param>
/// <param name="TruncatedTokens">Tokens cut off from them.</param>
/// <param name="Dropped">Records left out because they have fewer than two tokens.</param>
/// <param name="WithoutTargets">Examples kept in which nothing is learnt, for instance because truncation left the prompt alone.</param>
public sealed record DatasetStatistics(
    int Records, long Tokens, long TargetTokens, int LongestExample, int Truncated, long TruncatedTokens, int Dropped, int WithoutTargets);
