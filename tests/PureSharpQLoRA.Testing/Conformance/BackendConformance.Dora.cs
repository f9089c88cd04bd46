using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;
using static PureSharpQLoRA.Testing.ReferenceOps.ReferenceElementwise;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    [InlineData(DataType.Nf4)]
    public void Norms_of_adapted_rows(DataType type)
    {
        foreach (int outputs in Widths)
        {
            foreach (int inputs in Widths)
            {
                int rank = 1 + ((outputs + inputs) % 16);
                if (IsTooLarge((long)outputs * inputs * rank))
                {
                    continue;
                }

                Operand weight = Random(outputs, inputs, type), a = Random(rank, inputs), b = Random(outputs, rank);
                GuardedOutput norms = Output(new Shape(outputs));
                Backend.AdaptedRowNorms(weight.Tensor, a.Tensor, b.Tensor, 0.5f, norms.Tensor);
                double[] exact = ReferenceDora.AdaptedRowNorms(weight.Values, a.Values, b.Values, 0.5, outputs, inputs, rank);

                // An element of a weight and its update may cancel.
                double[] squares = Scale(ReferenceProducts.MatMul(Square(b.Values), Square(a.Values), outputs, rank, inputs), 0.25);
                double[] terms = ReferenceProducts.SumRows(Transposed(Add(Square(weight.Values), squares), inputs), outputs);
                norms.AssertCloseFor(Root(terms), exact, Bounds.RowNorm, $"[{outputs}, {inputs}], rank {rank}");
                Scope.Reset();
            }
        }
    }

    [Fact]
    public void Scaled_columns_and_their_dot_products()
    {
        foreach (int tokens in TokenCounts)
        {
            foreach (int width in Widths)
            {
                var shape = new Shape(tokens, width);
                if (IsTooLarge(shape.Count))
                {
                    continue;
                }

                Operand x = Activation(shape), other = Activation(shape), numerator = Random(new Shape(width));
                Operand denominator = Operand(new Shape(width), [.. RandomValues(width).Select(value => (double)(float)(1.5 + value))]);
                double[] exact = ReferenceDora.ScaleColumns(x.Values, numerator.Values, denominator.Values);
                GuardedOutput y = ActivationOutput(shape);
                Backend.ScaleColumns(x.Tensor, numerator.Tensor, denominator.Tensor, y.Tensor);
                y.AssertClose(exact, Bounds.Elementwise, $"{shape}");

                y = ActivationOutput(shape, x.Values);
                Backend.ScaleColumns(y.Tensor, numerator.Tensor, denominator.Tensor, y.Tensor);
                y.AssertClose(exact, Bounds.Elementwise, $"in place, {shape}");

                double[] dots = ReferenceDora.ColumnDots(x.Values, other.Values, denominator.Values);
                double[] squares = ReferenceDora.ColumnDots(Square(x.Values), Square(other.Values), Square(denominator.Values));
                GuardedOutput result = Output(new Shape(width));
                Backend.ColumnDots(x.Tensor, other.Tensor, denominator.Tensor, result.Tensor, accumulate: false);
                result.AssertCloseFor(Root(squares), dots, Bounds.ColumnSum, $"dots, {shape}");

                result = Output(new Shape(width), numerator.Values);
                Backend.ColumnDots(x.Tensor, other.Tensor, denominator.Tensor, result.Tensor, accumulate: true);
                double[] scale = Root(Add(Square(numerator.Values), squares));
                result.AssertCloseFor(scale, Add(numerator.Values, dots), Bounds.ColumnSum, $"dots added, {shape}");
                Scope.Reset();
            }
        }
    }

    private static double[] Transposed(double[] x, int columns)
    {
        int rows = x.Length / columns;
        return [.. Enumerable.Range(0, x.Length).Select(i => x[(i % rows * columns) + (i / rows)])];
    }
}
