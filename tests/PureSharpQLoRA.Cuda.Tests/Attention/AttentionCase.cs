using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Tests.Attention;

/// <summary>Sizes of a call of attention.</summary>
/// <param name="HeadSize">Values per head.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyHeads">Key heads.</param>
/// <param name="Lengths">Tokens of each document.</param>
public sealed record AttentionCase(int HeadSize, int Heads, int KeyHeads, params int[] Lengths)
{
    /// <summary>Keys a query sees; 0 for all.</summary>
    public int Window { get; init; }

    /// <summary>Tokens ahead of the first query.</summary>
    public int Past { get; init; }

    /// <summary>Largest element of the queries and keys.</summary>
    public double Amplitude { get; init; } = 2;

    public int Tokens => Lengths.Sum();

    public int[] Starts => [.. Lengths.Aggregate(new List<int> { 0 }, (list, length) => [.. list, list[^1] + length])];

    public AttentionShape Shape => new(Heads, KeyHeads, HeadSize, 1 / MathF.Sqrt(HeadSize), Window);

    public override string ToString() =>
        $"size {HeadSize}, {Heads}:{KeyHeads} heads, documents {string.Join('+', Lengths)}, window {Window}, past {Past}, amplitude {Amplitude}";
}
