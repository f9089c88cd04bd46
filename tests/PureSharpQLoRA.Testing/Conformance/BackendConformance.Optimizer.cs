using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(0, 1e-3, 1)]
    [InlineData(0.1, 1e-2, 1)]
    [InlineData(0.01, 2e-4, 0.37f)]
    public void AdamW_over_several_steps(double decay, double rate, float gradientScale)
    {
        foreach (Shape shape in new[] { new Shape(1), new Shape(3), new Shape(17), new Shape(16, 172), new Shape(31, 33), new Shape(129, 288) })
        {
            if (IsTooLarge(shape.Count))
            {
                continue;
            }

            double[] p = RandomValues(shape.Count), m = new double[shape.Count], v = new double[shape.Count];
            float[] singleP = [.. p.Select(value => (float)value)], singleM = new float[p.Length], singleV = new float[p.Length];
            double[] start = [.. p];
            GuardedOutput parameter = Output(shape, p), first = Output(shape, m), second = Output(shape, v);
            Tensor control = Operand(StepControl.Shape, [1, gradientScale, 1, -1]).Tensor;
            for (int number = 1; number <= 6; number++)
            {
                // Gradients of very different sizes, some zero: the quotient of the moments is what matters.
                double[] values = [.. RandomValues(shape.Count).Select((value, i) => (double)(float)(i % 5 == 4 ? 0 : value * Math.Pow(10, -(i % 4) * 2)))];
                Operand gradient = Operand(shape, values);
                var step = new AdamWStep(rate * number, 0.9, 0.999, 1e-8, decay, number);
                Backend.AdamW(parameter.Tensor, gradient.Tensor, first.Tensor, second.Tensor, step, control);
                ReferenceAdamW.Step(p, values, m, v, step, gradientScale);
                ReferenceAdamW.StepInSingle(singleP, [.. values.Select(value => (float)value)], singleM, singleV, step, gradientScale);
            }

            double[] updated = parameter.Read();
            Accuracy.AssertClose(p, updated, Bounds.Optimizer, $"parameter, {shape}");
            Accuracy.AssertClose(m, first.Read(), Bounds.Optimizer, $"first moment, {shape}");
            Accuracy.AssertClose(v, second.Read(), Bounds.Optimizer, $"second moment, {shape}");

            // With PyTorch's order of operations a rounding per step remains, of the element or of its steps (the rates sum to 21 times the first).
            for (int i = 0; i < updated.Length; i++)
            {
                double unit = Math.Max(Math.Abs(start[i]), 21 * rate) * Math.Pow(2, -23);
                Assert.True(Math.Abs(updated[i] - singleP[i]) <= 6 * unit, $"{shape}, element {i}: {updated[i]:R}, in PyTorch's order {singleP[i]:R}");
            }

            Scope.Reset();
        }
    }

    [Fact]
    public void AdamW_changes_nothing_when_a_gradient_is_not_finite()
    {
        var shape = new Shape(31, 33);
        double[] p = RandomValues(shape.Count), m = RandomValues(shape.Count), v = [.. RandomValues(shape.Count).Select(Math.Abs)];
        GuardedOutput parameter = Output(shape, p), first = Output(shape, m), second = Output(shape, v);
        double[] values = RandomValues(shape.Count);
        values[500] = double.PositiveInfinity;
        Operand gradient = Operand(shape, values);
        GuardedOutput control = Output(StepControl.Shape);
        Backend.GradientNorm([gradient.Tensor], 1, 0.5f, control.Tensor);
        Backend.AdamW(parameter.Tensor, gradient.Tensor, first.Tensor, second.Tensor, new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.1, 3), control.Tensor);
        Assert.Equal(p, parameter.Read());
        Assert.Equal(m, first.Read());
        Assert.Equal(v, second.Read());
    }

    /// <summary>The norm over several gradients, the factor of clipping, and the same bits every time.</summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 0.25f)]
    [InlineData(1, 1e6f)]
    [InlineData(65536, 0)]
    [InlineData(65536, 1)]
    public void Norm_of_gradients(float lossScale, float maxNorm)
    {
        int[][] groups = [[1], [17, 3], [8191, 1, 8193], [129 * 288, 100_003, 2, 33]];
        foreach (int[] counts in groups)
        {
            if (IsTooLarge(counts.Sum()))
            {
                continue;
            }

            Operand[] gradients = [.. counts.Select(count => Random(new Shape(count), amplitude: lossScale))];
            Tensor[] tensors = [.. gradients.Select(gradient => gradient.Tensor)];
            GuardedOutput control = Output(StepControl.Shape);
            Backend.GradientNorm(tensors, lossScale, maxNorm, control.Tensor);
            double[] found = control.Read();
            double norm = Math.Sqrt(gradients.Sum(gradient => ReferenceElementwise.SumOfSquares(gradient.Values))) / lossScale;
            double factor = (maxNorm > 0 ? Math.Min(1, maxNorm / (norm + 1e-6)) : 1) / lossScale;
            FormattableString what = $"{string.Join(", ", counts)} elements";
            Accuracy.AssertClose([norm], [found[0]], Bounds.Norm, $"the norm, {what}");
            Accuracy.AssertClose([factor], [found[1]], Bounds.Norm, $"the factor, {what}");
            Assert.Equal([1, -1], found[2..]);
            Assert.Equal(new StepControl((float)found[0], (float)found[1], true, -1), StepControl.Read(Backend, control.Tensor));
            for (int again = 0; again < 5; again++)
            {
                GuardedOutput other = Output(StepControl.Shape);
                Backend.GradientNorm(tensors, lossScale, maxNorm, other.Tensor);
                Assert.Equal(found, other.Read());
            }

            Scope.Reset();
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_norm_names_the_first_gradient_that_is_not_finite(float bad)
    {
        int[] counts = [17, 1, (int)Math.Min(LargestCase, 20_000), 33];
        for (int named = 0; named < counts.Length; named++)
        {
            foreach (int place in new[] { 0, counts[named] / 2, counts[named] - 1 })
            {
                double[][] values = [.. counts.Select(count => RandomValues(count))];
                values[named][place] = bad;
                values[^1][32] = bad;
                Tensor[] gradients = [.. values.Select(value => Operand(new Shape(value.Length), value).Tensor)];
                GuardedOutput control = Output(StepControl.Shape);
                Backend.GradientNorm(gradients, 1, 1, control.Tensor);
                Assert.Equal([0, named], control.Read()[2..]);
                Scope.Reset();
            }
        }
    }

    /// <summary>The square of 1e20 is beyond fp32, not beyond double; no gradient at all has no norm.</summary>
    [Fact]
    public void Norms_of_large_gradients_and_of_none()
    {
        Operand x = Random(new Shape(1000), amplitude: 1e20);
        GuardedOutput control = Output(StepControl.Shape);
        Backend.GradientNorm([x.Tensor], 1, 0, control.Tensor);
        double[] found = control.Read();
        Accuracy.AssertClose([Math.Sqrt(ReferenceElementwise.SumOfSquares(x.Values))], [found[0]], Bounds.Norm, $"the norm");
        Assert.Equal([1, 1, -1], found[1..]);

        Backend.GradientNorm([], 1, 1, control.Tensor);
        Assert.Equal([0, 1, 1, -1], control.Read());
    }
}
