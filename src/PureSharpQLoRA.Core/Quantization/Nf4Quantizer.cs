using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Quantization;

/// <summary>Turns fp32 values into NF4 codes and back, bit for bit as bitsandbytes does. Thread-safe; never allocates.</summary>
public static class Nf4Quantizer
{
    private static readonly float[] Midpoints = CreateMidpoints();

    /// <summary>
    /// Quantises values that begin at a block boundary. The code of a value is the number of midpoints between neighbouring levels
    /// that lie strictly below it after scaling, so that ties go to the lower code. A block of zeros, or of numbers so small that 1 / absmax overflows, gets the code of 0.
    /// </summary>
    /// <param name="values">[count]; a NaN or infinite value makes the absolute maximum of its block NaN or infinite.</param>
    /// <param name="codes">[<see cref="Nf4Format.CodeBytes"/>(count)]; an odd count is padded with the code of 0.</param>
    /// <param name="absmax">[<see cref="Nf4Format.Blocks"/>(count)].</param>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    public static void Quantize(ReadOnlySpan<float> values, Span<byte> codes, Span<float> absmax)
    {
        CheckLengths(values.Length, codes.Length, absmax.Length);
        int full = values.Length / Nf4Format.BlockSize;
        for (int block = 0; block < full; block++)
        {
            absmax[block] = QuantizeBlock(
                values.Slice(block * Nf4Format.BlockSize, Nf4Format.BlockSize),
                codes.Slice(block * (Nf4Format.BlockSize / 2), Nf4Format.BlockSize / 2));
        }

        if (full < absmax.Length)
        {
            absmax[full] = QuantizePartialBlock(values[(full * Nf4Format.BlockSize)..], codes[(full * (Nf4Format.BlockSize / 2))..]);
        }
    }

    /// <summary>The absolute maximum of each block, as <see cref="Quantize"/> finds it.</summary>
    /// <exception cref="ArgumentException"><paramref name="absmax"/> has the wrong length.</exception>
    public static void AbsoluteMaxima(ReadOnlySpan<float> values, Span<float> absmax)
    {
        CheckLengths(values.Length, (int)Nf4Format.CodeBytes(values.Length), absmax.Length);
        for (int block = 0; block < absmax.Length; block++)
        {
            int first = block * Nf4Format.BlockSize;
            int count = Math.Min(Nf4Format.BlockSize, values.Length - first);
            absmax[block] = count == Nf4Format.BlockSize
                ? AbsoluteMaximum(ref MemoryMarshal.GetReference(values.Slice(first, count)))
                : AbsoluteMaximum(values.Slice(first, count));
        }
    }

    /// <summary>Decodes: value = level[code] * absmax of the block.</summary>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    public static void Dequantize(ReadOnlySpan<byte> codes, ReadOnlySpan<float> absmax, Span<float> values)
    {
        CheckLengths(values.Length, codes.Length, absmax.Length);
        int block = 0;
        if (Vector512.IsHardwareAccelerated)
        {
            Vector512<float> levels = Vector512.Create(Nf4Format.Levels);
            for (int full = values.Length / Nf4Format.BlockSize; block < full; block++)
            {
                DequantizeBlock(
                    codes.Slice(block * (Nf4Format.BlockSize / 2), Nf4Format.BlockSize / 2),
                    absmax[block],
                    levels,
                    values.Slice(block * Nf4Format.BlockSize, Nf4Format.BlockSize));
            }
        }

        ReadOnlySpan<float> table = Nf4Format.Levels;
        for (; block < absmax.Length; block++)
        {
            int end = Math.Min(values.Length, (block + 1) * Nf4Format.BlockSize);
            float scale = absmax[block];
            for (int i = block * Nf4Format.BlockSize; i < end; i += 2)
            {
                int pair = codes[i / 2];
                values[i] = table[pair >> 4] * scale;
                if (i + 1 < end)
                {
                    values[i + 1] = table[pair & 15] * scale;
                }
            }
        }
    }

    private static float QuantizeBlock(ReadOnlySpan<float> values, Span<byte> codes)
    {
        ref float source = ref MemoryMarshal.GetReference(values);
        float absmax = AbsoluteMaximum(ref source);
        float inverse = 1 / absmax;
        if (float.IsInfinity(inverse))
        {
            codes.Fill(Nf4Format.ZeroCode << 4 | Nf4Format.ZeroCode);
            return absmax;
        }

        ref byte target = ref MemoryMarshal.GetReference(codes);
        for (nuint i = 0; i < Nf4Format.BlockSize; i += 32)
        {
            Vector256<ushort> first = Vector256.Narrow(
                CodesOf(Vector256.LoadUnsafe(ref source, i) * inverse), CodesOf(Vector256.LoadUnsafe(ref source, i + 8) * inverse));
            Vector256<ushort> second = Vector256.Narrow(
                CodesOf(Vector256.LoadUnsafe(ref source, i + 16) * inverse), CodesOf(Vector256.LoadUnsafe(ref source, i + 24) * inverse));
            Vector256<ushort> pairs = Vector256.Narrow(first, second).AsUInt16();

            // The low byte of a pair is the earlier element, which belongs in the high nibble.
            Vector256<ushort> packed = ((pairs << 4) | (pairs >> 8)) & Vector256.Create((ushort)0xff);
            Vector128.Narrow(packed.GetLower(), packed.GetUpper()).StoreUnsafe(ref target, i / 2);
        }

        return absmax;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> CodesOf(Vector256<float> scaled)
    {
        // A comparison that holds is -1 in every bit, so subtracting counts.
        ref float midpoints = ref MemoryMarshal.GetArrayDataReference(Midpoints);
        Vector256<int> even = Vector256<int>.Zero, odd = Vector256<int>.Zero;
        for (int i = 0; i < 14; i += 2)
        {
            even -= Vector256.GreaterThan(scaled, Vector256.Create(Unsafe.Add(ref midpoints, i))).AsInt32();
            odd -= Vector256.GreaterThan(scaled, Vector256.Create(Unsafe.Add(ref midpoints, i + 1))).AsInt32();
        }

        even -= Vector256.GreaterThan(scaled, Vector256.Create(Unsafe.Add(ref midpoints, 14))).AsInt32();
        return (even + odd).AsUInt32();
    }

    private static float AbsoluteMaximum(ref float block)
    {
        Vector256<float> a = Vector256.Abs(Vector256.LoadUnsafe(ref block));
        Vector256<float> b = Vector256.Abs(Vector256.LoadUnsafe(ref block, 8));
        for (nuint i = 16; i < Nf4Format.BlockSize; i += 16)
        {
            a = Vector256.Max(a, Vector256.Abs(Vector256.LoadUnsafe(ref block, i)));
            b = Vector256.Max(b, Vector256.Abs(Vector256.LoadUnsafe(ref block, i + 8)));
        }

        a = Vector256.Max(a, b);
        Vector128<float> c = Vector128.Max(a.GetLower(), a.GetUpper());
        return MathF.Max(MathF.Max(c[0], c[1]), MathF.Max(c[2], c[3]));
    }

    private static float AbsoluteMaximum(ReadOnlySpan<float> values)
    {
        float maximum = 0;
        foreach (float value in values)
        {
            maximum = MathF.Max(maximum, MathF.Abs(value));
        }

        return maximum;
    }

    /// <summary>bitsandbytes divides in the last, shorter block of a tensor, where it multiplies by the inverse in all others.</summary>
    private static float QuantizePartialBlock(ReadOnlySpan<float> values, Span<byte> codes)
    {
        float absmax = AbsoluteMaximum(values);
        codes.Clear();
        for (int i = 0; i < 2 * codes.Length; i++)
        {
            int code = Nf4Format.ZeroCode;
            if (i < values.Length && absmax != 0)
            {
                code = 0;
                float scaled = values[i] / absmax;
                foreach (float midpoint in Midpoints)
                {
                    code += scaled > midpoint ? 1 : 0;
                }
            }

            codes[i / 2] |= (byte)((i & 1) == 0 ? code << 4 : code);
        }

        return absmax;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void DequantizeBlock(ReadOnlySpan<byte> codes, float absmax, Vector512<float> levels, Span<float> values)
    {
        ref float target = ref MemoryMarshal.GetReference(values);
        (Vector256<ushort> low, Vector256<ushort> high) = Vector256.Widen(Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(codes)));
        Vector512<ushort> pairs = Vector512.Create(low, high);
        Vector512<byte> nibbles = ((pairs >> 4) | ((pairs & Vector512.Create((ushort)15)) << 8)).AsByte();
        (Vector512<ushort> first, Vector512<ushort> second) = Vector512.Widen(nibbles);
        Store(first, ref target);
        Store(second, ref Unsafe.Add(ref target, 32));

        void Store(Vector512<ushort> indices, ref float at)
        {
            (Vector512<uint> a, Vector512<uint> b) = Vector512.Widen(indices);
            (Vector512.ShuffleNative(levels, a.AsInt32()) * absmax).StoreUnsafe(ref at);
            (Vector512.ShuffleNative(levels, b.AsInt32()) * absmax).StoreUnsafe(ref at, 16);
        }
    }

    private static float[] CreateMidpoints()
    {
        var midpoints = new float[Nf4Format.Levels.Length - 1];
        for (int i = 0; i < midpoints.Length; i++)
        {
            midpoints[i] = (Nf4Format.Levels[i] + Nf4Format.Levels[i + 1]) / 2;
        }

        return midpoints;
    }

    private static void CheckLengths(int values, int codes, int absmax)
    {
        if (codes != Nf4Format.CodeBytes(values))
        {
            throw new ArgumentException($"{values} NF4 values take {Nf4Format.CodeBytes(values)} bytes of codes, not {codes}.", nameof(codes));
        }

        if (absmax != Nf4Format.Blocks(values))
        {
            throw new ArgumentException($"{values} NF4 values have {Nf4Format.Blocks(values)} absolute maxima, not {absmax}.", nameof(absmax));
        }
    }
}
