namespace PureSharpQLoRA.Core.Quantization;

/// <summary>
/// How NF4 lays out a weight: 16 levels at quantiles of a normal distribution, scaled by the absolute maximum of each block of 64
/// flat, row-major elements (Dettmers et al. 2023, arXiv:2305.14314, as bitsandbytes stores it).
/// </summary>
public static class Nf4Format
{
    /// <summary>Elements that share one absolute maximum.</summary>
    public const int BlockSize = 64;

    /// <summary>Absolute maxima that share one scale where they are quantised themselves.</summary>
    public const int NestedBlockSize = 256;

    /// <summary>The code of the level 0.</summary>
    public const int ZeroCode = 7;

    private static readonly float[] LevelValues =
    [
        -1f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0f,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1f,
    ];

    /// <summary>The 16 levels, ascending; a code is an index into them.</summary>
    public static ReadOnlySpan<float> Levels => LevelValues;

    /// <summary>The bytes that the codes of <paramref name="count"/> elements take: two a byte, the first in the high nibble.</summary>
    public static long CodeBytes(long count) => (count + 1) / 2;

    /// <summary>The blocks, hence absolute maxima, of <paramref name="count"/> elements.</summary>
    public static long Blocks(long count) => (count + BlockSize - 1) / BlockSize;

    /// <summary>The nested blocks, hence scales, of <paramref name="blocks"/> absolute maxima.</summary>
    public static long NestedBlocks(long blocks) => (blocks + NestedBlockSize - 1) / NestedBlockSize;
}
