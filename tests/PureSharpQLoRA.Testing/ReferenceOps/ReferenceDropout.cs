using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Dropout and noise: random by counter, so that the reference draws the very same numbers.</summary>
public static class ReferenceDropout
{
    /// <summary>x / (1 - probability) where the number of the element is at least the probability, else 0. Its own gradient, with dy for x.</summary>
    public static double[] Dropout(double[] x, float probability, ulong seed)
    {
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            y[i] = Philox.Uniform(seed, (ulong)i) >= probability ? x[i] / (1 - (double)probability) : 0;
        }

        return y;
    }

    /// <summary>x + amplitude * (2 u - 1).</summary>
    public static double[] AddUniformNoise(double[] x, float amplitude, ulong seed)
    {
        var y = new double[x.Length];
        for (int i = 0; i < x.Length; i++)
        {
            y[i] = x[i] + (amplitude * ((2 * (double)Philox.Uniform(seed, (ulong)i)) - 1));
        }

        return y;
    }
}
