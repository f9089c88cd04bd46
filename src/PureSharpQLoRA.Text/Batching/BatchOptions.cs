namespace PureSharpQLoRA.Text;

/// <summary>How examples are put together in batches.</summary>
public sealed record BatchOptions
{
    /// <summary>Rows in one micro-batch: examples, or with packing, packed rows.</summary>
    public int PerDeviceBatchSize { get; init; } = 8;

    /// <summary>Micro-batches in one optimizer step.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    /// <summary>Whether every epoch has its own random order.</summary>
    public bool Shuffle { get; init; } = true;

    /// <summary>The seed of that order.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Tokens of a packed row; null: every example is a row of its own. Packed examples keep their boundaries.</summary>
    public int? PackedLength { get; init; }
}
