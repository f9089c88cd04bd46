namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Matrix products and what goes with a linear layer, in double, row-major, the obvious way.</summary>
public static class ReferenceProducts
{
    /// <summary>x [rows, inputs] times the transpose of weight [outputs, inputs].</summary>
    public static double[] MatMulTransposed(double[] x, double[] weight, int rows, int inputs, int outputs)
    {
        var y = new double[rows * outputs];
        for (int i = 0; i < rows; i++)
        {
            for (int n = 0; n < outputs; n++)
            {
                double sum = 0;
                for (int k = 0; k < inputs; k++)
                {
                    sum += x[(i * inputs) + k] * weight[(n * inputs) + k];
                }

                y[(i * outputs) + n] = sum;
            }
        }

        return y;
    }

    /// <summary>x [rows, inputs] times weight [inputs, outputs].</summary>
    public static double[] MatMul(double[] x, double[] weight, int rows, int inputs, int outputs)
    {
        var y = new double[rows * outputs];
        for (int i = 0; i < rows; i++)
        {
            for (int k = 0; k < inputs; k++)
            {
                for (int n = 0; n < outputs; n++)
                {
                    y[(i * outputs) + n] += x[(i * inputs) + k] * weight[(k * outputs) + n];
                }
            }
        }

        return y;
    }

    /// <summary>The transpose of a [tokens, rows] times b [tokens, columns].</summary>
    public static double[] MatMulGradient(double[] a, double[] b, int tokens, int rows, int columns)
    {
        var y = new double[rows * columns];
        for (int i = 0; i < tokens; i++)
        {
            for (int r = 0; r < rows; r++)
            {
                for (int c = 0; c < columns; c++)
                {
                    y[(r * columns) + c] += a[(i * rows) + r] * b[(i * columns) + c];
                }
            }
        }

        return y;
    }

    /// <summary>Each row of y plus the bias.</summary>
    public static double[] AddBias(double[] y, double[] bias) => [.. y.Select((value, i) => value + bias[i % bias.Length])];

    /// <summary>The sum of each column.</summary>
    public static double[] SumRows(double[] x, int columns)
    {
        var sums = new double[columns];
        for (int i = 0; i < x.Length; i++)
        {
            sums[i % columns] += x[i];
        }

        return sums;
    }
}
