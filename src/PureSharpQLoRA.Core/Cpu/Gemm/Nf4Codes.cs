using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// Decoding of NF4 in registers (Dettmers et al. 2023, arXiv:2305.14314, appendix E for the 16 levels). Codes lie as bitsandbytes has them:
/// flat row-major, the first of a pair in the high nibble; 64 flat elements share one absolute maximum.
/// </summary>
internal static unsafe class Nf4Codes
{
    /// <summary>Where the code of element l starts in a 32-bit word of eight codes: the even elements are in the high nibbles.</summary>
    private static readonly Vector256<uint> NibbleShift = Vector256.Create(4u, 0, 12, 8, 20, 16, 28, 24);

    /// <summary>The same for 16 codes in a 64-bit word, as a vpmultishiftqb control (only the lowest byte of a lane matters).</summary>
    private static readonly Vector512<byte> MultiShiftControl =
        Vector512.Create(4u, 0, 12, 8, 20, 16, 28, 24, 36, 32, 44, 40, 52, 48, 60, 56).AsByte();

    /// <summary>The levels in a register.</summary>
    public static Vector512<float> Levels512
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Vector512.LoadUnsafe(ref MemoryMarshal.GetReference(Nf4Format.Levels));
    }

    /// <summary>Looks up 16 codes; bits above the low four of each lane are ignored by the instruction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Lookup(Vector512<float> levels, Vector512<uint> codes) => Avx512F.PermuteVar16x32(levels, codes.AsInt32());

    /// <summary>Looks up 8 codes in the two halves of the levels; bit 3 of each lane chooses the half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Lookup(Vector256<float> low, Vector256<float> high, Vector256<uint> codes)
    {
        Vector256<float> fromLow = Avx2.PermuteVar8x32(low, codes.AsInt32());
        Vector256<float> fromHigh = Avx2.PermuteVar8x32(high, codes.AsInt32());
        return Avx.BlendVariable(fromLow, fromHigh, (codes << 28).AsSingle());
    }

    /// <summary>Spreads 16 consecutive codes (8 bytes) over the low bits of 16 lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<uint> Spread16(byte* codes)
    {
        if (Avx512Vbmi.IsSupported)
        {
            return Avx512Vbmi.MultiShift(MultiShiftControl, Vector512.Create(Unsafe.ReadUnaligned<ulong>(codes))).AsUInt32();
        }

        return Vector512.Create(Spread8(codes), Spread8(codes + 4));
    }

    /// <summary>Spreads 8 consecutive codes (4 bytes) over the low bits of 8 lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Spread8(byte* codes) =>
        Avx2.ShiftRightLogicalVariable(Vector256.Create(Unsafe.ReadUnaligned<uint>(codes)), NibbleShift);

    /// <summary>
    /// Loads 16 bytes from each of 16 rows and returns the transposed words: lane r of word w is bytes 4w to 4w+3 of row r.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadTransposed(
        byte* row0, nint stride, out Vector512<uint> word0, out Vector512<uint> word1, out Vector512<uint> word2, out Vector512<uint> word3)
    {
        Vector512<uint> z0 = LoadEveryFourth(row0, stride);
        Vector512<uint> z1 = LoadEveryFourth(row0 + stride, stride);
        Vector512<uint> z2 = LoadEveryFourth(row0 + 2 * stride, stride);
        Vector512<uint> z3 = LoadEveryFourth(row0 + 3 * stride, stride);
        Vector512<ulong> t0 = Avx512F.UnpackLow(z0, z1).AsUInt64(), t1 = Avx512F.UnpackHigh(z0, z1).AsUInt64();
        Vector512<ulong> t2 = Avx512F.UnpackLow(z2, z3).AsUInt64(), t3 = Avx512F.UnpackHigh(z2, z3).AsUInt64();
        word0 = Avx512F.UnpackLow(t0, t2).AsUInt32();
        word1 = Avx512F.UnpackHigh(t0, t2).AsUInt32();
        word2 = Avx512F.UnpackLow(t1, t3).AsUInt32();
        word3 = Avx512F.UnpackHigh(t1, t3).AsUInt32();
    }

    /// <summary>
    /// Decodes elements [flat, flat + count) in runs that share a scale. May write up to 15 floats more; reads no code behind
    /// <paramref name="total"/> elements.
    /// </summary>
    public static void DecodeRun(byte* codes, float* scales, long flat, int count, long total, float* to)
    {
        while (count > 0)
        {
            int run = (int)Math.Min(count, Nf4Format.BlockSize - (flat & (Nf4Format.BlockSize - 1)));
            DecodeBlock(codes, scales[flat / Nf4Format.BlockSize], flat, run, total, to);
            flat += run;
            to += run;
            count -= run;
        }
    }

    private static void DecodeBlock(byte* codes, float scale, long flat, int count, long total, float* to)
    {
        int done = 0;
        if ((flat & 1) != 0)
        {
            to[0] = Nf4Format.Levels[codes[flat >> 1] & 15] * scale;
            done = 1;
        }

        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<float> levels = Levels512 * scale;
            for (; done < count && flat + done + 16 <= total; done += 16)
            {
                Lookup(levels, Spread16(codes + ((flat + done) >> 1))).Store(to + done);
            }
        }
        else if (Avx2.IsSupported)
        {
            Vector256<float> low = Vector256.Create(Nf4Format.Levels[..8]) * scale;
            Vector256<float> high = Vector256.Create(Nf4Format.Levels[8..]) * scale;
            for (; done < count && flat + done + 8 <= total; done += 8)
            {
                Lookup(low, high, Spread8(codes + ((flat + done) >> 1))).Store(to + done);
            }
        }

        for (; done < count; done++)
        {
            byte pair = codes[(flat + done) >> 1];
            to[done] = Nf4Format.Levels[((flat + done) & 1) == 0 ? pair >> 4 : pair & 15] * scale;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> LoadEveryFourth(byte* row, nint stride)
    {
        Vector256<byte> lower = Vector256.Create(Vector128.Load(row), Vector128.Load(row + 4 * stride));
        Vector256<byte> upper = Vector256.Create(Vector128.Load(row + 8 * stride), Vector128.Load(row + 12 * stride));
        return Vector512.Create(lower, upper).AsUInt32();
    }
}
