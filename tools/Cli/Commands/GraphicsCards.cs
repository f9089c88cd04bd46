namespace PureSharpQLoRA.Cli.Commands;

/// <summary>A card to estimate for.</summary>
/// <param name="Key">What --card takes.</param>
/// <param name="Name">For people.</param>
/// <param name="MebiBytes">Memory as its driver reports it.</param>
internal sealed record GraphicsCard(string Key, string Name, long MebiBytes)
{
    /// <summary>What the driver and its context keep for themselves.</summary>
    private const long ReservedMebiBytes = 512;

    /// <summary>What a program can use.</summary>
    public long UsableBytes => (MebiBytes - ReservedMebiBytes) << 20;
}

/// <summary>Cards that people train on; memory as nvidia-smi shows it (T4, L4 and A10 keep a part for error correction).</summary>
internal static class GraphicsCards
{
    public static IReadOnlyList<GraphicsCard> All { get; } =
    [
        new("rtx3060", "RTX 3060 12 GB", 12_288),
        new("t4", "T4 16 GB", 15_360),
        new("v100-16gb", "V100 16 GB", 16_384),
        new("l4", "L4 24 GB", 23_034),
        new("a10", "A10 24 GB", 23_028),
        new("rtx3090", "RTX 3090 24 GB", 24_576),
        new("rtx4090", "RTX 4090 24 GB", 24_564),
        new("rtx5090", "RTX 5090 32 GB", 32_607),
        new("v100-32gb", "V100 32 GB", 32_768),
        new("a100-40gb", "A100 40 GB", 40_960),
        new("a100-80gb", "A100 80 GB", 81_920),
        new("h100", "H100 80 GB", 81_559),
        new("h200", "H200 141 GB", 143_771),
    ];
}
