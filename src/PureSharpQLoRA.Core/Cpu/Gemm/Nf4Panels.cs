using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>The fast ways of packing NF4 matrices. Each returns how many values of the reduction it has packed.</summary>
internal static unsafe class Nf4Panels
{
    private const int Segment = 32;

    /// <summary>Consecutive rows of a plain panel are a whole weight row apart, too far for the hardware prefetcher.</summary>
    private const int PrefetchRows = 16;

    /// <summary>
    /// 16 stored rows become 16 columns of the panel: the reduction runs along a row, so the packed codes are transposed first (8 codes move
    /// as one 32-bit word) and decoded afterwards.
    /// </summary>
    public static int PackTransposed(in RightOperand weight, int row, int first, int count, bool bf16, float* to)
    {
        if (weight.Columns % Segment != 0 || first % Segment != 0)
        {
            return 0;
        }

        int whole = count / Segment * Segment;
        if (Vector512.IsHardwareAccelerated)
        {
            if (bf16)
            {
                PackGroupBf16(weight, row, first, whole, to);
            }
            else
            {
                PackGroup512(weight, row, first, whole, to);
            }

            return whole;
        }

        if (!Avx2.IsSupported || bf16)
        {
            return 0;
        }

        PackGroup256(weight, row, first, whole, to);
        PackGroup256(weight, row + 8, first, whole, to + 8);
        return whole;
    }

    /// <summary>Runs of stored columns become rows of the panel: the codes are spread over the lanes as they come.</summary>
    public static int PackPlain(in RightOperand weight, int firstColumn, int columns, int first, int count, bool bf16, float* to)
    {
        if (weight.Columns % 16 != 0)
        {
            return 0;
        }

        int whole = bf16 ? count & ~1 : count;
        if (Vector512.IsHardwareAccelerated)
        {
            ClearColumns(columns, bf16 ? whole / 2 : whole, to);
            if (bf16)
            {
                PackRowsBf16(weight, firstColumn, columns, first, whole, to);
            }
            else
            {
                PackRows512(weight, firstColumn, columns, first, whole, to);
            }

            return whole;
        }

        if (!Avx2.IsSupported || bf16)
        {
            return 0;
        }

        ClearColumns(columns, whole, to);
        PackRows256(weight, firstColumn, columns, first, whole, to);
        return whole;
    }

    private static void ClearColumns(int columns, int steps, float* to)
    {
        for (int i = 0; i < steps && columns < Tile.Columns; i++, to += Tile.Columns)
        {
            new Span<float>(to + columns, Tile.Columns - columns).Clear();
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackGroup512(in RightOperand weight, int firstRow, int first, int count, float* to)
    {
        nint stride = weight.Columns / 2;
        byte* codes = weight.Values + (nint)firstRow * stride + first / 2;
        Vector512<float> book = Nf4Codes.Levels512;
        for (int done = 0; done < count; done += Segment)
        {
            Vector512<float> scale = RowScales(weight, firstRow, first + done);
            Nf4Codes.LoadTransposed(codes, stride, out var word0, out var word1, out var word2, out var word3);
            StoreWord(book, word0, scale, to);
            StoreWord(book, word1, scale, to + 8 * Tile.Columns);
            StoreWord(book, word2, scale, to + 16 * Tile.Columns);
            StoreWord(book, word3, scale, to + 24 * Tile.Columns);
            codes += Segment / 2;
            to += Segment * Tile.Columns;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreWord(Vector512<float> book, Vector512<uint> word, Vector512<float> scale, float* to)
    {
        (Nf4Codes.Lookup(book, word >>> 4) * scale).StoreAligned(to);
        (Nf4Codes.Lookup(book, word) * scale).StoreAligned(to + Tile.Columns);
        (Nf4Codes.Lookup(book, word >>> 12) * scale).StoreAligned(to + 2 * Tile.Columns);
        (Nf4Codes.Lookup(book, word >>> 8) * scale).StoreAligned(to + 3 * Tile.Columns);
        (Nf4Codes.Lookup(book, word >>> 20) * scale).StoreAligned(to + 4 * Tile.Columns);
        (Nf4Codes.Lookup(book, word >>> 16) * scale).StoreAligned(to + 5 * Tile.Columns);
        (Nf4Codes.Lookup(book, word >>> 28) * scale).StoreAligned(to + 6 * Tile.Columns);
        (Nf4Codes.Lookup(book, word >>> 24) * scale).StoreAligned(to + 7 * Tile.Columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackGroupBf16(in RightOperand weight, int firstRow, int first, int count, float* to)
    {
        nint stride = weight.Columns / 2;
        byte* codes = weight.Values + (nint)firstRow * stride + first / 2;
        Vector512<float> book = Nf4Codes.Levels512;
        for (int done = 0; done < count; done += Segment)
        {
            Vector512<float> scale = RowScales(weight, firstRow, first + done);
            Nf4Codes.LoadTransposed(codes, stride, out var word0, out var word1, out var word2, out var word3);
            StoreWordBf16(book, word0, scale, to);
            StoreWordBf16(book, word1, scale, to + 4 * Tile.Columns);
            StoreWordBf16(book, word2, scale, to + 8 * Tile.Columns);
            StoreWordBf16(book, word3, scale, to + 12 * Tile.Columns);
            codes += Segment / 2;
            to += Segment / 2 * Tile.Columns;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreWordBf16(Vector512<float> book, Vector512<uint> word, Vector512<float> scale, float* to)
    {
        StorePair(book, word >>> 4, word, scale, to);
        StorePair(book, word >>> 12, word >>> 8, scale, to + Tile.Columns);
        StorePair(book, word >>> 20, word >>> 16, scale, to + 2 * Tile.Columns);
        StorePair(book, word >>> 28, word >>> 24, scale, to + 3 * Tile.Columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePair(Vector512<float> book, Vector512<uint> even, Vector512<uint> odd, Vector512<float> scale, float* to) =>
        Bf16.Join(Nf4Codes.Lookup(book, even) * scale, Nf4Codes.Lookup(book, odd) * scale).StoreAligned(to);

    /// <summary>The scales of 16 consecutive weight rows at one column; they hold for the 32 columns from there.</summary>
    private static Vector512<float> RowScales(in RightOperand weight, int firstRow, int column)
    {
        long flat = (long)firstRow * weight.Columns + column;
        float* scales = weight.Scales + flat / Nf4Format.BlockSize;
        int offset = (int)(flat % Nf4Format.BlockSize);
        Vector512<int> blocks = (Vector512<int>.Indices * weight.Columns + Vector512.Create(offset)) >> 6;
        return Vector512.Create(
            Avx2.GatherVector256(scales, blocks.GetLower(), sizeof(float)),
            Avx2.GatherVector256(scales, blocks.GetUpper(), sizeof(float)));
    }

    private static void PackGroup256(in RightOperand weight, int firstRow, int first, int count, float* to)
    {
        nint stride = weight.Columns / 2;
        byte* codes = weight.Values + (nint)firstRow * stride + first / 2;
        Vector256<float> low = Vector256.Create(Nf4Format.Levels[..8]);
        Vector256<float> high = Vector256.Create(Nf4Format.Levels[8..]);
        Vector256<int> rows = Vector256<int>.Indices;
        for (int done = 0; done < count; done += 8)
        {
            long flat = (long)firstRow * weight.Columns + first + done;
            Vector256<int> blocks = (rows * weight.Columns + Vector256.Create((int)(flat % Nf4Format.BlockSize))) >> 6;
            Vector256<float> scale = Avx2.GatherVector256(weight.Scales + flat / Nf4Format.BlockSize, blocks, sizeof(float));
            Vector256<uint> word = Avx2.GatherVector256((uint*)codes, rows * (int)stride, 1);
            for (int pair = 0; pair < 4; pair++)
            {
                (Nf4Codes.Lookup(low, high, word >>> (8 * pair + 4)) * scale).Store(to);
                (Nf4Codes.Lookup(low, high, word >>> (8 * pair)) * scale).Store(to + Tile.Columns);
                to += 2 * Tile.Columns;
            }

            codes += 4;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRows512(in RightOperand weight, int firstColumn, int columns, int firstRow, int count, float* to)
    {
        byte* codes = weight.Values;
        float* scales = weight.Scales;
        Vector512<float> book = Nf4Codes.Levels512;
        nint flat = (nint)firstRow * weight.Columns + firstColumn;
        for (int row = 0; row < count; row++, flat += weight.Columns, to += Tile.Columns)
        {
            Sse.Prefetch0(codes + ((flat + PrefetchRows * (nint)weight.Columns) >> 1));
            for (int column = 0; column < columns; column += 16)
            {
                Decode16(book, codes, scales, flat + column).StoreAligned(to + column);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRowsBf16(in RightOperand weight, int firstColumn, int columns, int firstRow, int count, float* to)
    {
        byte* codes = weight.Values;
        float* scales = weight.Scales;
        Vector512<float> book = Nf4Codes.Levels512;
        nint flat = (nint)firstRow * weight.Columns + firstColumn;
        for (int row = 0; row < count; row += 2, flat += 2 * (nint)weight.Columns, to += Tile.Columns)
        {
            Sse.Prefetch0(codes + ((flat + PrefetchRows * (nint)weight.Columns) >> 1));
            Sse.Prefetch0(codes + ((flat + (PrefetchRows + 1) * (nint)weight.Columns) >> 1));
            for (int column = 0; column < columns; column += 16)
            {
                Vector512<float> even = Decode16(book, codes, scales, flat + column);
                Vector512<float> odd = Decode16(book, codes, scales, flat + weight.Columns + column);
                Bf16.Join(even, odd).StoreAligned(to + column);
            }
        }
    }

    private static void PackRows256(in RightOperand weight, int firstColumn, int columns, int firstRow, int count, float* to)
    {
        Vector256<float> low = Vector256.Create(Nf4Format.Levels[..8]);
        Vector256<float> high = Vector256.Create(Nf4Format.Levels[8..]);
        nint flat = (nint)firstRow * weight.Columns + firstColumn;
        for (int row = 0; row < count; row++, flat += weight.Columns, to += Tile.Columns)
        {
            for (int column = 0; column < columns; column += 8)
            {
                Vector256<uint> codes = Nf4Codes.Spread8(weight.Values + (flat + column) / 2);
                Vector256<float> scale = Vector256.Create(weight.Scales[(flat + column) / Nf4Format.BlockSize]);
                (Nf4Codes.Lookup(low, high, codes) * scale).Store(to + column);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Decode16(Vector512<float> book, byte* codes, float* scales, nint flat) =>
        Nf4Codes.Lookup(book, Nf4Codes.Spread16(codes + (flat >> 1))) * Vector512.Create(scales[flat >> 6]);
}
