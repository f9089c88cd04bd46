using System.Globalization;

namespace PureSharpQLoRA.Testing;

/// <summary>How far a result is from the exact one.</summary>
public static class Accuracy
{
    /// <summary>The Frobenius norm of the difference over that of the exact values; NaN if an element is.</summary>
    public static double RelativeError(double[] exact, double[] actual)
    {
        Assert.Equal(exact.Length, actual.Length);
        double error = 0, norm = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            error += (actual[i] - exact[i]) * (actual[i] - exact[i]);
            norm += exact[i] * exact[i];
        }

        return error == 0 ? 0 : Math.Sqrt(error / norm);
    }

    /// <summary>
    /// Fails unless the Frobenius norm of the difference is at most the bound times that of <paramref name="scale"/>. For sums whose terms cancel:
    /// the scale of an element is the root of the sum of the squares of its terms, which is what a sum of terms with random signs has.
    /// Each element may be off by <paramref name="floor"/> besides, for what the type of the result cannot hold.
    /// </summary>
    public static void AssertCloseFor(double[] scale, double[] exact, double[] actual, double bound, FormattableString what, double floor = 0)
    {
        Assert.Equal(exact.Length, actual.Length);
        double difference = Math.Sqrt(exact.Zip(actual, (e, a) => (a - e) * (a - e)).Sum()), allowed = Math.Sqrt(exact.Length) * floor;
        double error = difference <= allowed ? 0 : (difference - allowed) / Math.Sqrt(scale.Sum(value => value * value));
        Assert.True(error <= bound, FormattableString.Invariant($"{what.ToString(CultureInfo.InvariantCulture)}: error {error:E2} of the terms, bound {bound:E2}"));
    }

    /// <summary>As <see cref="AssertCloseFor"/>, the scale being the exact values themselves.</summary>
    public static void AssertClose(double[] exact, double[] actual, double bound, double floor, FormattableString what) =>
        AssertCloseFor(exact, exact, actual, bound, what, floor);

    /// <summary>Fails unless <see cref="RelativeError"/> is at most the bound.</summary>
    public static void AssertClose(double[] exact, double[] actual, double bound, FormattableString what)
    {
        double error = RelativeError(exact, actual);
        Assert.True(error <= bound, FormattableString.Invariant($"{what.ToString(CultureInfo.InvariantCulture)}: relative error {error:E2}, bound {bound:E2}"));
    }

    /// <summary>Fails unless two numbers differ by at most the bound, relative to the exact one or to 1 if that is larger.</summary>
    public static void AssertClose(double exact, double actual, double bound, FormattableString what)
    {
        double error = Math.Abs(actual - exact) / Math.Max(1, Math.Abs(exact));
        Assert.True(error <= bound, FormattableString.Invariant($"{what.ToString(CultureInfo.InvariantCulture)}: {actual} for {exact}, bound {bound:E2}"));
    }
}
