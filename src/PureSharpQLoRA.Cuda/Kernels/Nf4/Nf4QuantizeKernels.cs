using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// Weights to NF4, bit for bit as <see cref="Core.Quantization.Nf4Quantizer"/>: an element's code is the number of midpoints between neighbouring
/// levels below it once scaled. Nothing branches on values, NaN and infinity included.
/// </summary>
internal static class Nf4QuantizeKernels
{
    public const int Threads = 256, ThreadsPerBlock = 8;

    private const uint Infinity = 0x7F800000, ZeroCodes = 0x77777777;

    private const float L0 = -1f, L1 = -0.6961928009986877f, L2 = -0.5250730514526367f, L3 = -0.39491748809814453f;
    private const float L4 = -0.28444138169288635f, L5 = -0.18477343022823334f, L6 = -0.09105003625154495f, L7 = 0f;
    private const float L8 = 0.07958029955625534f, L9 = 0.16093020141124725f, L10 = 0.24611230194568634f, L11 = 0.33791524171829224f;
    private const float L12 = 0.44070982933044434f, L13 = 0.5626170039176941f, L14 = 0.7229568362236023f, L15 = 1f;

    /// <summary>
    /// Whole blocks of 64, eight elements a thread: each element is read once. Grid: ceil(8 * blocks / 256).
    /// </summary>
    /// <param name="source">Elements in groups of eight, at multiples of 16 bytes.</param>
    /// <param name="codes">Eight codes a word.</param>
    /// <param name="maxima">One per block.</param>
    /// <param name="blocks">Whole blocks.</param>
    public static void Blocks<TVector>(ArrayView<U4> source, ArrayView<uint> codes, ArrayView<float> maxima, int blocks)
        where TVector : struct, IVector
    {
        int thread = Grid.IdxX * Threads + Group.IdxX, last = blocks * ThreadsPerBlock - 1;
        Eight x = TVector.Load(source, IntrinsicMath.Min(thread, last));
        uint largest = Max(Max(Max(Bits(x.A.X), Bits(x.A.Y)), Max(Bits(x.A.Z), Bits(x.A.W))), Max(Max(Bits(x.B.X), Bits(x.B.Y)), Max(Bits(x.B.Z), Bits(x.B.W))));
        largest = Max(largest, Other(largest, 1));
        largest = Max(largest, Other(largest, 2));
        largest = Max(largest, Other(largest, 4));
        float maximum = Interop.IntAsFloat(largest), inverse = Ptx.Divide(1, maximum);
        uint word = Code(Ptx.Multiply(x.A.X, inverse)) << 4 | Code(Ptx.Multiply(x.A.Y, inverse))
            | Code(Ptx.Multiply(x.A.Z, inverse)) << 12 | Code(Ptx.Multiply(x.A.W, inverse)) << 8
            | Code(Ptx.Multiply(x.B.X, inverse)) << 20 | Code(Ptx.Multiply(x.B.Y, inverse)) << 16
            | Code(Ptx.Multiply(x.B.Z, inverse)) << 28 | Code(Ptx.Multiply(x.B.W, inverse)) << 24;
        uint hasNone = IsZero(Bits(inverse) ^ Infinity);
        if (thread <= last)
        {
            codes[thread] = (word & ~hasNone) | (ZeroCodes & hasNone);
            if ((thread & ThreadsPerBlock - 1) == 0)
            {
                maxima[thread / ThreadsPerBlock] = maximum;
            }
        }
    }

    /// <summary>
    /// Blocks from a first one to the end, the last of which may be shorter, anywhere in memory; a thread has a block. Grid: ceil(blocks / 256).
    /// </summary>
    /// <param name="source">Elements.</param>
    /// <param name="codes">Two codes a byte.</param>
    /// <param name="maxima">One per block.</param>
    /// <param name="firstBlock">The first.</param>
    /// <param name="count">Elements from the beginning of the weight.</param>
    public static void Elements<TElement>(ArrayView<TElement> source, ArrayView<byte> codes, ArrayView<float> maxima, int firstBlock, int count)
        where TElement : unmanaged, IElement<TElement>
    {
        int block = firstBlock + Grid.IdxX * Threads + Group.IdxX, blocks = (int)(((uint)count + 63) >> 6);
        if (block >= blocks)
        {
            return;
        }

        int first = block * 64, length = IntrinsicMath.Min(64, count - first);
        uint largest = 0;
        for (int i = 0; i < length; i++)
        {
            largest = Max(largest, Bits(TElement.ToFloat(source[first + i])));
        }

        float maximum = Interop.IntAsFloat(largest), inverse = Ptx.Divide(1, maximum);

        // A shorter block is divided by its maximum, where others are multiplied with the inverse, and is zero only where the maximum is.
        bool isWhole = length == 64;
        uint hasNone = isWhole ? IsZero(Bits(inverse) ^ Infinity) : IsZero(largest);
        for (int i = 0; i < length; i += 2)
        {
            uint high = Scaled(TElement.ToFloat(source[first + i]), maximum, inverse, isWhole), low = 7;
            if (i + 1 < length)
            {
                low = Scaled(TElement.ToFloat(source[first + i + 1]), maximum, inverse, isWhole);
            }

            uint pair = high << 4 | (low & 15);
            codes[first + i >> 1] = (byte)((pair & ~hasNone) | (ZeroCodes & hasNone));
        }

        maxima[block] = maximum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Scaled(float x, float maximum, float inverse, bool isWhole)
    {
        float scaled;
        if (isWhole)
        {
            scaled = Ptx.Multiply(x, inverse);
        }
        else
        {
            scaled = Ptx.Divide(x, maximum);
        }

        return Code(scaled);
    }

    /// <summary>How many midpoints lie below; none below NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Code(float scaled)
    {
        float x = Ptx.Max(scaled, -2);
        return Below((L0 + L1) / 2, x) + Below((L1 + L2) / 2, x) + Below((L2 + L3) / 2, x) + Below((L3 + L4) / 2, x) + Below((L4 + L5) / 2, x)
            + Below((L5 + L6) / 2, x) + Below((L6 + L7) / 2, x) + Below((L7 + L8) / 2, x) + Below((L8 + L9) / 2, x) + Below((L9 + L10) / 2, x)
            + Below((L10 + L11) / 2, x) + Below((L11 + L12) / 2, x) + Below((L12 + L13) / 2, x) + Below((L13 + L14) / 2, x) + Below((L14 + L15) / 2, x);
    }

    /// <summary>1 where the midpoint is below x, else 0: the sign of a difference, which is exact enough to have the right one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Below(float midpoint, float x) => (uint)Interop.FloatAsInt(midpoint - x) >> 31;

    /// <summary>All ones where a number below 2^31 is zero, else zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint IsZero(uint value) => (uint)((int)value - 1 >> 31);

    /// <summary>The magnitude; those of floats are ordered as integers, NaN last.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Bits(float x) => (uint)Interop.FloatAsInt(x) & 0x7FFFFFFF;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Max(uint a, uint b) => IntrinsicMath.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Other(uint value, int mask) => (uint)Interop.FloatAsInt(Ptx.ShuffleXor(Interop.IntAsFloat(value), mask));
}
