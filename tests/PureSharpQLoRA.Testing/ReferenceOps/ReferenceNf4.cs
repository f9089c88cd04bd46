namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>What NF4 codes stand for (Dettmers et al. 2023, arXiv:2305.14314), in the layout of bitsandbytes.</summary>
public static class ReferenceNf4
{
    private static readonly double[] Levels =
    [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0,
        0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
    ];

    /// <summary>Element i has the code in the high nibble of byte i / 2 if i is even, else in the low one, times the absolute maximum of block i / 64.</summary>
    public static double[] Decode(byte[] codes, float[] absoluteMaxima, int count)
    {
        var values = new double[count];
        for (int i = 0; i < count; i++)
        {
            int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
            values[i] = Levels[code] * absoluteMaxima[i / 64];
        }

        return values;
    }
}
