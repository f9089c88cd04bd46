namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Root mean square normalisation (Zhang and Sennrich 2019, arXiv:1910.07467) of groups as long as the weight, in double.</summary>
public static class ReferenceRmsNorm
{
    /// <summary>x / sqrt(mean(x²) + epsilon) * weight.</summary>
    public static double[] Forward(double[] x, double[] weight, double epsilon)
    {
        int size = weight.Length;
        var y = new double[x.Length];
        for (int group = 0; group < x.Length; group += size)
        {
            double inverse = InverseRoot(x, group, size, epsilon);
            for (int i = 0; i < size; i++)
            {
                y[group + i] = x[group + i] * inverse * weight[i];
            }
        }

        return y;
    }

    /// <summary>The gradients for x and for the weight, given dy.</summary>
    public static (double[] X, double[] Weight) Backward(double[] x, double[] weight, double[] dy, double epsilon)
    {
        int size = weight.Length;
        double[] dx = new double[x.Length], dWeight = new double[size];
        for (int group = 0; group < x.Length; group += size)
        {
            double inverse = InverseRoot(x, group, size, epsilon);
            double dot = 0;
            for (int i = 0; i < size; i++)
            {
                dot += dy[group + i] * weight[i] * x[group + i];
                dWeight[i] += dy[group + i] * x[group + i] * inverse;
            }

            // The derivative of the inverse root is -inverse³ * x / size.
            double shared = dot * inverse * inverse * inverse / size;
            for (int i = 0; i < size; i++)
            {
                dx[group + i] = (dy[group + i] * weight[i] * inverse) - (x[group + i] * shared);
            }
        }

        return (dx, dWeight);
    }

    private static double InverseRoot(double[] x, int first, int size, double epsilon)
    {
        double squares = 0;
        for (int i = first; i < first + size; i++)
        {
            squares += x[i] * x[i];
        }

        return 1 / Math.Sqrt((squares / size) + epsilon);
    }
}
