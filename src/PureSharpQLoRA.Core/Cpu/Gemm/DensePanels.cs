using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>The fast ways of packing fp32, bf16 and fp16 matrices. Each returns how many values of the reduction it has packed.</summary>
internal static unsafe class DensePanels
{
    /// <summary>16 stored rows become 16 columns of the panel.</summary>
    public static int PackTransposed(in RightOperand right, int row, int first, int count, bool bf16, float* to)
    {
        if (!Vector256.IsHardwareAccelerated)
        {
            return 0;
        }

        long flat = (long)row * right.Columns + first;
        for (int half = 0; half < 16; half += 8, flat += 8L * right.Columns, to += 8)
        {
            switch (right.Type)
            {
                case DataType.Float32:
                    TransposeFloats((float*)right.Values + flat, right.Columns, count, bf16, to);
                    break;
                case DataType.BFloat16 when bf16:
                    TransposePairs((float*)((ushort*)right.Values + flat), right.Columns, count, to);
                    break;
                case DataType.BFloat16:
                    TransposeBf16((ushort*)right.Values + flat, right.Columns, count, to);
                    break;
                default:
                    return 0;
            }
        }

        int block = bf16 ? 16 : 8;
        return count / block * block;
    }

    /// <summary>Runs of 48 stored columns become rows of the panel.</summary>
    public static int PackPlain(in RightOperand right, int firstColumn, int columns, int first, int count, bool bf16, float* to)
    {
        if (columns < Tile.Columns || !Vector512.IsHardwareAccelerated || right.Type == DataType.Float16)
        {
            return 0;
        }

        long flat = (long)first * right.Columns + firstColumn;
        int whole = bf16 ? count & ~1 : count;
        if (right.Type == DataType.BFloat16)
        {
            PlainBf16((ushort*)right.Values + flat, right.Columns, whole, bf16, to);
        }
        else
        {
            PlainFloats((float*)right.Values + flat, right.Columns, whole, bf16, to);
        }

        return whole;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeFloats(float* from, nint stride, int count, bool bf16, float* to)
    {
        if (bf16)
        {
            for (int i = 0; i + 16 <= count; i += 16, to += 8 * Tile.Columns)
            {
                UnitTranspose.Store(from + i, stride, true, to, Tile.Columns);
            }
        }
        else
        {
            for (int i = 0; i + 8 <= count; i += 8, to += 8 * Tile.Columns)
            {
                UnitTranspose.Store(from + i, stride, false, to, Tile.Columns);
            }
        }
    }

    /// <summary>bf16 stays bf16: the pairs are moved as they are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposePairs(float* pairs, nint columns, int count, float* to)
    {
        byte* from = (byte*)pairs;
        nint stride = columns * 2;
        for (int i = 0; i + 16 <= count; i += 16, from += 32, to += 8 * Tile.Columns)
        {
            Transpose8x8.Store(
                Vector256.Load((float*)from), Vector256.Load((float*)(from + stride)),
                Vector256.Load((float*)(from + 2 * stride)), Vector256.Load((float*)(from + 3 * stride)),
                Vector256.Load((float*)(from + 4 * stride)), Vector256.Load((float*)(from + 5 * stride)),
                Vector256.Load((float*)(from + 6 * stride)), Vector256.Load((float*)(from + 7 * stride)),
                to, Tile.Columns);
        }
    }

    /// <summary>Pairs are transposed as they are, then each gives two steps: half the shuffles of widening first.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TransposeBf16(ushort* from, nint stride, int count, float* to)
    {
        float* pairs = stackalloc float[64];
        int i = 0;
        for (; i + 16 <= count; i += 16, from += 16)
        {
            Transpose8x8.Store(
                Vector256.Load((float*)from), Vector256.Load((float*)(from + stride)),
                Vector256.Load((float*)(from + 2 * stride)), Vector256.Load((float*)(from + 3 * stride)),
                Vector256.Load((float*)(from + 4 * stride)), Vector256.Load((float*)(from + 5 * stride)),
                Vector256.Load((float*)(from + 6 * stride)), Vector256.Load((float*)(from + 7 * stride)),
                pairs, 8);
            for (int pair = 0; pair < 64; pair += 8, to += 2 * Tile.Columns)
            {
                Vector256<uint> both = Vector256.Load((uint*)pairs + pair);
                (both << 16).AsSingle().Store(to);
                (both & Vector256.Create(0xFFFF0000u)).AsSingle().Store(to + Tile.Columns);
            }
        }

        if (i + 8 <= count)
        {
            Transpose8x8.Store(
                Bf16.Widen8(from), Bf16.Widen8(from + stride), Bf16.Widen8(from + 2 * stride), Bf16.Widen8(from + 3 * stride),
                Bf16.Widen8(from + 4 * stride), Bf16.Widen8(from + 5 * stride), Bf16.Widen8(from + 6 * stride), Bf16.Widen8(from + 7 * stride),
                to, Tile.Columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PlainFloats(float* from, nint stride, int count, bool bf16, float* to)
    {
        if (bf16)
        {
            for (int i = 0; i < count; i += 2, from += 2 * stride, to += Tile.Columns)
            {
                Bf16.Join(Vector512.Load(from), Vector512.Load(from + stride)).StoreAligned(to);
                Bf16.Join(Vector512.Load(from + 16), Vector512.Load(from + stride + 16)).StoreAligned(to + 16);
                Bf16.Join(Vector512.Load(from + 32), Vector512.Load(from + stride + 32)).StoreAligned(to + 32);
            }
        }
        else
        {
            for (int i = 0; i < count; i++, from += stride, to += Tile.Columns)
            {
                Vector512.Load(from).StoreAligned(to);
                Vector512.Load(from + 16).StoreAligned(to + 16);
                Vector512.Load(from + 32).StoreAligned(to + 32);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PlainBf16(ushort* from, nint stride, int count, bool bf16, float* to)
    {
        if (bf16)
        {
            for (int i = 0; i < count; i += 2, from += 2 * stride, to += Tile.Columns)
            {
                JoinBf16(from, from + stride).StoreAligned(to);
                JoinBf16(from + 16, from + stride + 16).StoreAligned(to + 16);
                JoinBf16(from + 32, from + stride + 32).StoreAligned(to + 32);
            }
        }
        else
        {
            for (int i = 0; i < count; i++, from += stride, to += Tile.Columns)
            {
                Bf16.Widen16(from).StoreAligned(to);
                Bf16.Widen16(from + 16).StoreAligned(to + 16);
                Bf16.Widen16(from + 32).StoreAligned(to + 32);
            }
        }
    }

    /// <summary>Pairs of two rows; both hold bf16 already, so nothing is rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> JoinBf16(ushort* even, ushort* odd)
    {
        Vector512<uint> low = Bf16.Widen16(even).AsUInt32() >>> 16;
        return (low | Bf16.Widen16(odd).AsUInt32()).AsSingle();
    }
}
