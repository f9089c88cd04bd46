using System.Runtime.CompilerServices;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// NF4 codes to fp16 without memory: the 16 levels lie in eight 32-bit constants (low and high byte of each level, for codes 0 to 7 and 8 to 15),
/// and prmt looks four codes up at a time. Eight codes take 21 integer instructions, no shared-memory access and so no bank conflict.
/// </summary>
internal static class Nf4Decode
{
    // fp16 of the code book: BC00 B992 B833 B652 B48D B1EA ADD4 0000 | 2D18 3126 33E0 3568 370D 3880 39C9 3C00
    private const uint LowB = 0x00D4EA8D, LowD = 0x00C9800D, HighB = 0x00ADB1B4, HighD = 0x3C393837;

    /// <summary>A byte holds elements 2k (high nibble) and 2k + 1: pairs come out as (2k, 2k + 1), the first in the low half.</summary>
    private const uint FirstPair = 0x4051, SecondPair = 0x6273;

    /// <summary>Eight weights in fp16, in order of their elements: level times a scale that is given twice, as a pair.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static U4 Weights(Nf4Table table, uint codes, uint scale)
    {
        U4 r = Levels(table, codes);
        r.X = Ptx.MultiplyHalf2(r.X, scale);
        r.Y = Ptx.MultiplyHalf2(r.Y, scale);
        r.Z = Ptx.MultiplyHalf2(r.Z, scale);
        r.W = Ptx.MultiplyHalf2(r.W, scale);
        return r;
    }

    /// <summary>Codes of elements 0, 2, 4, 6 of two rows, interleaved so that decoding gives (first row, second row) pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PairEven(uint first, uint second) => (first & 0xF0F0F0F0) | (second >> 4 & 0x0F0F0F0F);

    /// <summary>Codes of elements 1, 3, 5, 7 of two rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint PairOdd(uint first, uint second) => (first << 4 & 0xF0F0F0F0) | (second & 0x0F0F0F0F);

    /// <summary>The low halves of two pairs side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint LowHalves(uint first, uint second) => Ptx.Permute(first, second, 0x5410);

    /// <summary>The high halves of two pairs side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint HighHalves(uint first, uint second) => Ptx.Permute(first, second, 0x7632);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Levels(Nf4Table table, uint codes)
    {
        // Bit 3 of every code becomes a byte mask: prmt replicates the sign of a byte, and bit 3 of an even nibble is one after << 4.
        uint index = codes & 0x77777777, shifted = codes << 4;
        uint upperA = Ptx.Permute(codes, shifted, 0x9D8C), upperB = Ptx.Permute(codes, shifted, 0xBFAE);
        uint lowA = Select(upperA, Ptx.Permute(table.LowC, LowD, index), Ptx.Permute(table.LowA, LowB, index));
        uint highA = Select(upperA, Ptx.Permute(table.HighC, HighD, index), Ptx.Permute(table.HighA, HighB, index));
        index >>= 16;
        uint lowB = Select(upperB, Ptx.Permute(table.LowC, LowD, index), Ptx.Permute(table.LowA, LowB, index));
        uint highB = Select(upperB, Ptx.Permute(table.HighC, HighD, index), Ptx.Permute(table.HighA, HighB, index));
        U4 r;
        r.X = Ptx.Permute(lowA, highA, FirstPair);
        r.Y = Ptx.Permute(lowA, highA, SecondPair);
        r.Z = Ptx.Permute(lowB, highB, FirstPair);
        r.W = Ptx.Permute(lowB, highB, SecondPair);
        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Select(uint mask, uint whereSet, uint whereClear) => (mask & whereSet) | (~mask & whereClear);
}
