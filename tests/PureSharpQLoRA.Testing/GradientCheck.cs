namespace PureSharpQLoRA.Testing;

/// <summary>Derivatives by central differences in double.</summary>
public static class GradientCheck
{
    private const double Step = 1e-4;

    /// <summary>
    /// Fails unless the gradient agrees with the derivative of the function along random directions. Differences of two widths are
    /// extrapolated (Richardson), so that the error is of fourth order in the step.
    /// </summary>
    /// <param name="function">The function of the operand.</param>
    /// <param name="at">The operand's value; put back afterwards.</param>
    /// <param name="gradient">The gradient there.</param>
    /// <param name="bound">Relative to the length of the gradient.</param>
    public static void AssertGradient(Func<double> function, double[] at, double[] gradient, double bound = 1e-6)
    {
        Assert.Equal(at.Length, gradient.Length);
        var random = new Random(11);
        double[] origin = [.. at];
        double length = Math.Sqrt(gradient.Sum(value => value * value));
        Assert.True(length > 0, "A gradient of zeros checks nothing.");
        for (int trial = 0; trial < 4; trial++)
        {
            double[] direction = UnitDirection(random, at.Length);
            double expected = gradient.Zip(direction, (g, d) => g * d).Sum();
            double actual = ((4 * Slope(Step)) - Slope(2 * Step)) / 3;
            double error = Math.Abs(actual - expected) / length;
            Assert.True(error <= bound, FormattableString.Invariant($"Along direction {trial} the slope is {actual}, by the gradient {expected}: {error:E2} of its length."));

            double Slope(double width)
            {
                double forward = At(width), backward = At(-width);
                origin.CopyTo(at, 0);
                return (forward - backward) / (2 * width);
            }

            double At(double distance)
            {
                for (int i = 0; i < at.Length; i++)
                {
                    at[i] = origin[i] + (distance * direction[i]);
                }

                return function();
            }
        }
    }

    /// <summary>The whole gradient, one element after the other.</summary>
    public static double[] Numerically(Func<double> function, double[] at)
    {
        var gradient = new double[at.Length];
        for (int i = 0; i < at.Length; i++)
        {
            double origin = at[i];
            at[i] = origin + Step;
            double forward = function();
            at[i] = origin - Step;
            double backward = function();
            at[i] = origin;
            gradient[i] = (forward - backward) / (2 * Step);
        }

        return gradient;
    }

    private static double[] UnitDirection(Random random, int length)
    {
        var direction = new double[length];
        for (int i = 0; i < length; i++)
        {
            direction[i] = random.NextDouble() - 0.5;
        }

        double norm = Math.Sqrt(direction.Sum(value => value * value));
        return [.. direction.Select(value => value / norm)];
    }
}
