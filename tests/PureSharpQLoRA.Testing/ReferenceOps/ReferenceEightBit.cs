namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Moments in 8-bit codes, in blocks of 256 with a maximum each, in double.</summary>
public static class ReferenceEightBit
{
    private const int BlockSize = 256;

    /// <summary>map[code] times the maximum of the block.</summary>
    public static double[] Decode(byte[] codes, double[] maxima, ReadOnlySpan<float> map)
    {
        var values = new double[codes.Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = map[codes[i]] * maxima[i / BlockSize];
        }

        return values;
    }

    /// <summary>The largest magnitude of each block.</summary>
    public static double[] Maxima(double[] values) => [.. values.Chunk(BlockSize).Select(block => block.Max(Math.Abs))];

    /// <summary>How much farther from the value than the nearest code the codes are at most, in parts of the block's maximum.</summary>
    public static double WorstExcess(double[] values, byte[] codes, ReadOnlySpan<float> map)
    {
        double[] maxima = Maxima(values);
        double worst = 0;
        for (int i = 0; i < values.Length; i++)
        {
            double maximum = maxima[i / BlockSize], value = maximum > 0 ? values[i] / maximum : 0, nearest = double.PositiveInfinity;
            foreach (float level in map)
            {
                nearest = Math.Min(nearest, Math.Abs(value - level));
            }

            worst = Math.Max(worst, Math.Abs(value - map[codes[i]]) - nearest);
        }

        return worst;
    }
}
