using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.Conformance;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests.Products;

/// <summary>The path for any size and storage where the suite does not lead to it: a card without the tensor cores' formats, and operands of several types.</summary>
public sealed class GeneralProductTests
{
    [Theory]
    [InlineData(DataType.Float16, DataType.BFloat16, DataType.Float32, DataType.Float16)]
    [InlineData(DataType.Float32, DataType.Float16, DataType.Float16, DataType.Float16)]
    [InlineData(DataType.Float16, DataType.Float32, DataType.Float16, DataType.Float32)]
    public void Operands_of_several_types_on_Volta(DataType x, DataType weight, DataType y, DataType low)
    {
        using var bench = new ProductBench(70, DataType.Float16);
        const int Rows = 35, Reduction = 21, Columns = 37, Rank = 5;
        Operand left = bench.Make(Rows, Reduction, x, 1), right = bench.Make(Columns, Reduction, weight, 1), result = bench.Make(Rows, Columns, y, 1);
        Operand second = bench.Make(Rows, Rank, low, 1), factor = bench.Make(Columns, Rank, DataType.Float32, 1);
        bench.Backend.MatMulTransposed(left.Tensor, right.Tensor, result.Tensor, 0.5f, true, new LowRankTerm(second.Tensor, factor.Tensor));
        double[] exact = ReferenceElementwise.Scale(ReferenceProducts.MatMulTransposed(left.Values, right.Values, Rows, Reduction, Columns), 0.5);
        exact = ReferenceElementwise.Add(exact, ReferenceProducts.MatMulTransposed(second.Values, factor.Values, Rows, Rank, Columns));
        exact = ReferenceElementwise.Add(exact, result.Values);
        Accuracy.AssertClose(exact, bench.Read(result.Tensor), ProductBench.Bound(y), $"{x} by {weight} to {y}, {low}");
        Assert.Empty(bench.TensorLaunches);
    }

    /// <summary>The gradient of the head: rows of fp32 of very different sizes, which fp16 cannot sum; long ones in ranges that are added in order.</summary>
    [Theory]
    [InlineData(70)]
    [InlineData(700)]
    public void Gradient_of_logits_by_fp16(int tokens)
    {
        using var bench = new ProductBench(75, DataType.Float16);
        const int Rows = 33, Columns = 40;
        double[] values = [.. bench.Values(tokens * Rows).Select((v, i) => v * Math.Pow(2, i / Rows % 60 - 30))];
        Operand a = bench.Make(tokens, Rows, DataType.Float32, values), b = bench.Make(tokens, Columns, DataType.Float16);
        Operand y = bench.Make(Rows, Columns, DataType.Float32);
        bench.Backend.MatMulGradient(a.Tensor, b.Tensor, y.Tensor, accumulate: true);
        double[] exact = ReferenceElementwise.Add(y.Values, ReferenceProducts.MatMulGradient(a.Values, b.Values, tokens, Rows, Columns));
        Accuracy.AssertClose(exact, bench.Read(y.Tensor), 1e-6, $"{tokens} tokens");
        Assert.Empty(bench.TensorLaunches);
    }
}
