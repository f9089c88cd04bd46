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
            double[] p = RandomValues(shape.Count), m = new double[shape.Count], v = new double[shape.Count];
            float[] singleP = [.. p.Select(value => (float)value)], singleM = new float[p.Length], singleV = new float[p.Length];
            double[] start = [.. p];
            GuardedOutput parameter = Output(shape, p), first = Output(shape, m), second = Output(shape, v);
            for (int number = 1; number <= 6; number++)
            {
                // Gradients of very different sizes, some zero: the quotient of the moments is what matters.
                double[] values = [.. RandomValues(shape.Count).Select((value, i) => (double)(float)(i % 5 == 4 ? 0 : value * Math.Pow(10, -(i % 4) * 2)))];
                Operand gradient = Operand(shape, values);
                var step = new AdamWStep(rate * number, 0.9, 0.999, 1e-8, decay, number, gradientScale);
                Backend.AdamW(parameter.Tensor, gradient.Tensor, first.Tensor, second.Tensor, step);
                ReferenceAdamW.Step(p, values, m, v, step);
                ReferenceAdamW.StepInSingle(singleP, [.. values.Select(value => (float)value)], singleM, singleV, step);
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
}
