using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// Dot products of NF4 rows with a vector. A 64-byte load holds 128 codes as 16 words of eight; shifting the words by 0, 4, .. 28 bits puts one
/// code of every word into the low bits, so the vector is reordered once to match: unit j of group g holds, in lane l, element
/// 128 g + 8 l + (j xor 1). No code is ever moved or masked.
/// </summary>
internal static unsafe class Nf4RowKernel
{
    /// <summary>Codes in a register.</summary>
    public const int GroupLength = 128;

    /// <summary>Scales that are loaded with the first of a group.</summary>
    private const int ScalesLoaded = 16;

    /// <summary>Whether whole vectors over this row (and those before it) end inside the matrix.</summary>
    public static bool IsInside(in RightOperand weight, int row)
    {
        long total = (long)weight.Rows * weight.Columns;
        long end = (long)row * weight.Columns + (weight.Columns + GroupLength - 1) / GroupLength * GroupLength;
        return end <= total && end / Nf4Format.BlockSize + ScalesLoaded <= Nf4Format.Blocks(total);
    }

    /// <summary>Puts the vector in the order of the codes, zeros behind its end.</summary>
    public static void Reorder(float* x, int columns, float* to)
    {
        for (int group = 0; group < columns; group += GroupLength)
        {
            int lanes = Math.Min(GroupLength, columns - group) / 8;
            for (int unit = 0; unit < 8; unit++, to += 16)
            {
                float* from = x + group + (unit ^ 1);
                for (int lane = 0; lane < 16; lane++)
                {
                    to[lane] = lane < lanes ? from[8 * lane] : 0;
                }
            }
        }
    }

    /// <summary>Which of the scales that follow a row's first one belongs to each lane of eight elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> ScaleLanes(nint flat) =>
        (Vector512<int>.Indices * 8 + Vector512.Create((int)(flat % Nf4Format.BlockSize))) >> 6;

    /// <summary>One group of one row: sum over eight units, times the scales.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> AddGroup(
        Vector512<float> sum, Vector512<float> book, byte* codes, float* scales, Vector512<int> lanes, float* x)
    {
        Vector512<uint> words = Vector512.Load((uint*)codes);
        Vector512<float> a = Nf4Codes.Lookup(book, words) * Vector512.Load(x);
        Vector512<float> b = Nf4Codes.Lookup(book, words >>> 4) * Vector512.Load(x + 16);
        a = Vector512.FusedMultiplyAdd(Nf4Codes.Lookup(book, words >>> 8), Vector512.Load(x + 32), a);
        b = Vector512.FusedMultiplyAdd(Nf4Codes.Lookup(book, words >>> 12), Vector512.Load(x + 48), b);
        a = Vector512.FusedMultiplyAdd(Nf4Codes.Lookup(book, words >>> 16), Vector512.Load(x + 64), a);
        b = Vector512.FusedMultiplyAdd(Nf4Codes.Lookup(book, words >>> 20), Vector512.Load(x + 80), b);
        a = Vector512.FusedMultiplyAdd(Nf4Codes.Lookup(book, words >>> 24), Vector512.Load(x + 96), a);
        b = Vector512.FusedMultiplyAdd(Nf4Codes.Lookup(book, words >>> 28), Vector512.Load(x + 112), b);
        Vector512<float> scale = Avx512F.PermuteVar16x32(Vector512.Load(scales), lanes);
        return Vector512.FusedMultiplyAdd(a + b, scale, sum);
    }

    /// <summary>One row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(in RightOperand weight, int row, float* x)
    {
        nint flat = (nint)row * weight.Columns;
        byte* codes = weight.Values + flat / 2;
        float* scales = weight.Scales + flat / Nf4Format.BlockSize;
        Vector512<int> lanes = ScaleLanes(flat);
        Vector512<float> book = Nf4Codes.Levels512;
        Vector512<float> sum = default;
        for (int k = 0; k < weight.Columns; k += GroupLength)
        {
            sum = AddGroup(sum, book, codes, scales, lanes, x);
            codes += GroupLength / 2;
            scales += GroupLength / Nf4Format.BlockSize;
            x += GroupLength;
        }

        return Vector512.Sum(sum);
    }

    /// <summary>Four rows, for more loads under way at a time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Dot4(in RightOperand weight, int row, float* x, float* output)
    {
        int columns = weight.Columns;
        nint flat = (nint)row * columns;
        nint stride = columns / 2;
        byte* codes = weight.Values + flat / 2;
        float* s0 = weight.Scales + flat / Nf4Format.BlockSize;
        float* s1 = weight.Scales + (flat + columns) / Nf4Format.BlockSize;
        float* s2 = weight.Scales + (flat + 2 * (nint)columns) / Nf4Format.BlockSize;
        float* s3 = weight.Scales + (flat + 3 * (nint)columns) / Nf4Format.BlockSize;
        Vector512<int> l0 = ScaleLanes(flat), l1 = ScaleLanes(flat + columns);
        Vector512<int> l2 = ScaleLanes(flat + 2 * (nint)columns), l3 = ScaleLanes(flat + 3 * (nint)columns);
        Vector512<float> book = Nf4Codes.Levels512;
        Vector512<float> y0 = default, y1 = default, y2 = default, y3 = default;
        for (int k = 0; k < columns; k += GroupLength)
        {
            Prefetch(codes + 4 * stride, stride);
            y0 = AddGroup(y0, book, codes, s0, l0, x);
            y1 = AddGroup(y1, book, codes + stride, s1, l1, x);
            y2 = AddGroup(y2, book, codes + 2 * stride, s2, l2, x);
            y3 = AddGroup(y3, book, codes + 3 * stride, s3, l3, x);
            codes += GroupLength / 2;
            s0 += 2;
            s1 += 2;
            s2 += 2;
            s3 += 2;
            x += GroupLength;
        }

        output[0] = Vector512.Sum(y0);
        output[1] = Vector512.Sum(y1);
        output[2] = Vector512.Sum(y2);
        output[3] = Vector512.Sum(y3);
    }

    /// <summary>The hardware prefetcher alone leaves half of the memory bandwidth unused here: ask for the next four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(byte* codes, nint stride)
    {
        Sse.Prefetch0(codes);
        Sse.Prefetch0(codes + stride);
        Sse.Prefetch0(codes + 2 * stride);
        Sse.Prefetch0(codes + 3 * stride);
    }
}
