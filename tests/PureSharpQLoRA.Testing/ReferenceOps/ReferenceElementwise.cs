namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>Operations on single elements, and sums over all, in double.</summary>
public static class ReferenceElementwise
{
    /// <summary>a + b.</summary>
    public static double[] Add(double[] a, double[] b) => AddScaled(a, b, 1);

    /// <summary>y + scale * x.</summary>
    public static double[] AddScaled(double[] y, double[] x, double scale)
    {
        var sum = new double[y.Length];
        for (int i = 0; i < sum.Length; i++)
        {
            sum[i] = y[i] + (scale * x[i]);
        }

        return sum;
    }

    /// <summary>scale * x.</summary>
    public static double[] Scale(double[] x, double scale) => AddScaled(new double[x.Length], x, scale);

    /// <summary>The square of each element.</summary>
    public static double[] Square(double[] x) => [.. x.Select(value => value * value)];

    /// <summary>The root of each element.</summary>
    public static double[] Root(double[] x) => [.. x.Select(Math.Sqrt)];

    /// <summary>The sum of all elements.</summary>
    public static double Sum(double[] x) => x.Sum();

    /// <summary>The sum of the squares of all elements.</summary>
    public static double SumOfSquares(double[] x) => x.Sum(value => value * value);

    /// <summary>The sum of the products of elements at the same place.</summary>
    public static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
