namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>The parts of weight-decomposed adaptation (Liu et al. 2024, arXiv:2402.09353), in double.</summary>
public static class ReferenceDora
{
    /// <summary>The norm of each row of weight [outputs, inputs] + scale * b [outputs, rank] · a [rank, inputs].</summary>
    public static double[] AdaptedRowNorms(double[] weight, double[] a, double[] b, double scale, int outputs, int inputs, int rank)
    {
        double[] product = ReferenceProducts.MatMul(b, a, outputs, rank, inputs);
        var norms = new double[outputs];
        for (int n = 0; n < outputs; n++)
        {
            double squares = 0;
            for (int k = 0; k < inputs; k++)
            {
                double value = weight[(n * inputs) + k] + (scale * product[(n * inputs) + k]);
                squares += value * value;
            }

            norms[n] = Math.Sqrt(squares);
        }

        return norms;
    }

    /// <summary>x[i, n] * numerator[n] / denominator[n]. Its own gradient, with dy for x.</summary>
    public static double[] ScaleColumns(double[] x, double[] numerator, double[] denominator) =>
        [.. x.Select((value, i) => value * numerator[i % numerator.Length] / denominator[i % numerator.Length])];

    /// <summary>The sum over i of x[i, n] * y[i, n] / denominator[n]: the gradient of the numerator.</summary>
    public static double[] ColumnDots(double[] x, double[] y, double[] denominator)
    {
        double[] sums = ReferenceProducts.SumRows([.. x.Zip(y, (a, b) => a * b)], denominator.Length);
        return [.. sums.Zip(denominator, (sum, d) => sum / d)];
    }
}
