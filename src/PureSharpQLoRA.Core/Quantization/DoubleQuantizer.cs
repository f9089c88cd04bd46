using System.Numerics;

namespace PureSharpQLoRA.Core.Quantization;

/// <summary>
/// Quantises the absolute maxima of NF4 blocks to 8 bits: less their mean, in blocks of 256, with the signed
/// <see cref="DynamicMap"/> (arXiv:2305.14314, section 3). Thread-safe; never allocates.
/// </summary>
public static class DoubleQuantizer
{
    private const int Lanes = 8;
    private const int Rows = 4;
    private const int Levels = 4;

    /// <summary>The 256 values of the codes, ascending.</summary>
    public static ReadOnlySpan<float> Map => DynamicMap.Signed;

    /// <summary>Quantises absolute maxima around their mean.</summary>
    /// <param name="absmax">[blocks].</param>
    /// <param name="codes">[blocks].</param>
    /// <param name="nestedAbsmax">[<see cref="Nf4Format.NestedBlocks"/>(blocks)].</param>
    /// <returns>The offset: the mean of <paramref name="absmax"/>.</returns>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    public static float Quantize(ReadOnlySpan<float> absmax, Span<byte> codes, Span<float> nestedAbsmax)
    {
        CheckLengths(absmax.Length, codes.Length, nestedAbsmax.Length);
        float offset = Offset(absmax);
        for (int block = 0; block < nestedAbsmax.Length; block++)
        {
            int first = block * Nf4Format.NestedBlockSize;
            int count = Math.Min(Nf4Format.NestedBlockSize, absmax.Length - first);
            ReadOnlySpan<float> source = absmax.Slice(first, count);
            float scale = 0;
            foreach (float value in source)
            {
                scale = MathF.Max(scale, MathF.Abs(value - offset));
            }

            nestedAbsmax[block] = scale;
            float inverse = 1 / scale;
            for (int i = 0; i < count; i++)
            {
                codes[first + i] = CodeOf((source[i] - offset) * inverse);
            }
        }

        return offset;
    }

    /// <summary>Decodes: absmax = map[code] * nestedAbsmax of the nested block + offset.</summary>
    /// <exception cref="ArgumentException">A span has the wrong length.</exception>
    public static void Dequantize(
        ReadOnlySpan<byte> codes, ReadOnlySpan<float> map, ReadOnlySpan<float> nestedAbsmax, float offset, Span<float> absmax)
    {
        CheckLengths(absmax.Length, codes.Length, nestedAbsmax.Length);
        if (map.Length != 256)
        {
            throw new ArgumentException($"The map of 8-bit codes has 256 values, not {map.Length}.", nameof(map));
        }

        for (int i = 0; i < codes.Length; i++)
        {
            float scaled = map[codes[i]] * nestedAbsmax[i / Nf4Format.NestedBlockSize];
            absmax[i] = scaled + offset;
        }
    }

    /// <summary>The mean in fp32, added up in the order of PyTorch's pairwise cascade on one thread with 8 lanes, so that small tensors give its very bits.</summary>
    public static float Offset(ReadOnlySpan<float> absmax)
    {
        int vectors = absmax.Length / Lanes;
        int steps = vectors / Rows;
        int power = Math.Max(4, CeilingLog2(steps) / Levels);
        int stride = 1 << power;
        Span<float> sums = stackalloc float[Levels * Rows * Lanes];
        sums.Clear();
        int step = 0;
        while (step + stride <= steps)
        {
            for (int end = step + stride; step < end; step++)
            {
                Accumulate(absmax.Slice(step * Rows * Lanes, Rows * Lanes), sums[..(Rows * Lanes)]);
            }

            for (int level = 1; level < Levels; level++)
            {
                Span<float> lower = sums.Slice((level - 1) * Rows * Lanes, Rows * Lanes);
                Accumulate(lower, sums.Slice(level * Rows * Lanes, Rows * Lanes));
                lower.Clear();
                if ((step & ((stride - 1) << (level * power))) != 0)
                {
                    break;
                }
            }
        }

        for (; step < steps; step++)
        {
            Accumulate(absmax.Slice(step * Rows * Lanes, Rows * Lanes), sums[..(Rows * Lanes)]);
        }

        for (int level = 1; level < Levels; level++)
        {
            Accumulate(sums.Slice(level * Rows * Lanes, Rows * Lanes), sums[..(Rows * Lanes)]);
        }

        for (int vector = steps * Rows; vector < vectors; vector++)
        {
            Accumulate(absmax.Slice(vector * Lanes, Lanes), sums[..Lanes]);
        }

        for (int row = 1; row < Rows; row++)
        {
            Accumulate(sums.Slice(row * Lanes, Lanes), sums[..Lanes]);
        }

        float total = 0;
        foreach (float value in absmax[(vectors * Lanes)..])
        {
            total += value;
        }

        foreach (float lane in sums[..Lanes])
        {
            total += lane;
        }

        return total / absmax.Length;
    }

    private static void Accumulate(ReadOnlySpan<float> source, Span<float> sums)
    {
        for (int i = 0; i < source.Length; i++)
        {
            sums[i] += source[i];
        }
    }

    private static int CeilingLog2(int value) => value <= 2 ? 1 : BitOperations.Log2((uint)(value - 1)) + 1;

    /// <summary>
    /// The code whose value is nearest to <paramref name="value"/> rounded to 16 bits over [-1, 1], which is how bitsandbytes on CPU finds it: where the
    /// map is finer than that, around 0, it is not always the nearest code. A block without spread gives NaN here, for which bitsandbytes has code 0.
    /// </summary>
    private static byte CodeOf(float value)
    {
        if (float.IsNaN(value))
        {
            return 0;
        }

        const float HalfSteps = 32767.5f;
        ReadOnlySpan<float> map = DynamicMap.Signed;
        float rounded = (Math.Clamp(MathF.Round((value + 1) * HalfSteps), 0, 2 * HalfSteps) / HalfSteps) - 1;
        int low = 0, high = 255;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (map[middle] <= rounded)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return (byte)(low < 255 && map[low + 1] - rounded < rounded - map[low] ? low + 1 : low);
    }

    private static void CheckLengths(int absmax, int codes, int nestedAbsmax)
    {
        if (codes != absmax)
        {
            throw new ArgumentException($"{absmax} absolute maxima have as many codes, not {codes}.", nameof(codes));
        }

        if (nestedAbsmax != Nf4Format.NestedBlocks(absmax))
        {
            throw new ArgumentException($"{absmax} absolute maxima have {Nf4Format.NestedBlocks(absmax)} scales, not {nestedAbsmax}.", nameof(nestedAbsmax));
        }
    }
}
