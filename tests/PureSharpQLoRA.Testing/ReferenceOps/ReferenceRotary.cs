namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Rotary position embedding (Su et al. 2021, arXiv:2104.09864), half-split form, in double.</summary>
public static class ReferenceRotary
{
    /// <summary>Rotates the pairs (i, i + size/2) of every head of x [tokens, width]. The gradient is the inverse rotation of dy.</summary>
    public static double[] Rotate(double[] x, double[] cosines, double[] sines, int[] positions, int headSize, bool inverse)
    {
        int width = x.Length / positions.Length, half = headSize / 2;
        var y = new double[x.Length];
        for (int token = 0; token < positions.Length; token++)
        {
            for (int head = 0; head < width; head += headSize)
            {
                for (int i = 0; i < half; i++)
                {
                    int low = (token * width) + head + i, high = low + half;
                    double cosine = cosines[(positions[token] * half) + i];
                    double sine = sines[(positions[token] * half) + i] * (inverse ? -1 : 1);
                    y[low] = (x[low] * cosine) - (x[high] * sine);
                    y[high] = (x[high] * cosine) + (x[low] * sine);
                }
            }
        }

        return y;
    }
}
