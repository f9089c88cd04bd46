using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Kernels.Attention;

/// <summary>What attention kernels are told about a call; documents are causal on their own tokens.</summary>
internal struct AttentionSizes
{
    public const float Log2E = 1.4426950408889634f, Ln2 = 0.6931471805599453f;

    /// <summary>A window that hides nothing, and to which positions can be added.</summary>
    private const int NoWindow = 1 << 30;

    /// <summary>Query heads, key heads, query heads per key head, and values per head.</summary>
    public int Heads, KeyHeads, Group, HeadSize;

    /// <summary>Tokens of all documents together, and the keys ahead of the first query.</summary>
    public int Tokens, Past;

    /// <summary>Keys that a query sees, itself included.</summary>
    public int Window;

    /// <summary>Factor on the products of queries and keys, and the same times log2(e).</summary>
    public float Scale, ScaleLog2;

    public static AttentionSizes Create(in AttentionShape shape, int tokens, int past) => new()
    {
        Heads = shape.Heads,
        KeyHeads = shape.KeyValueHeads,
        Group = shape.Heads / shape.KeyValueHeads,
        HeadSize = shape.HeadSize,
        Tokens = tokens,
        Past = past,
        Window = shape.SlidingWindow == 0 ? NoWindow : Math.Min(shape.SlidingWindow, NoWindow),
        Scale = shape.Scale,
        ScaleLog2 = shape.Scale * Log2E,
    };
}
