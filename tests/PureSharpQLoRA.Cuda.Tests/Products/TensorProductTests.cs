using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.Conformance;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests.Products;

/// <summary>Products on tensor cores for every layout, tile, type and edge, executed as sm_75 and sm_80 PTX.</summary>
public sealed class TensorProductTests
{
    /// <summary>PTX target, type of activations, type of weights.</summary>
    public static TheoryData<int, DataType, DataType> Types =>
    [
        (75, DataType.Float16, DataType.Float16), (75, DataType.Float16, DataType.BFloat16), (75, DataType.Float16, DataType.Float32),
        (80, DataType.Float16, DataType.Float16), (80, DataType.Float16, DataType.BFloat16),
        (80, DataType.BFloat16, DataType.BFloat16), (80, DataType.BFloat16, DataType.Float16), (80, DataType.BFloat16, DataType.Float32),
    ];

    /// <summary>Rows, reduction, columns: each tile, whole and not, tokens of one row, widths that are no multiple of anything.</summary>
    private static (int Rows, int Reduction, int Columns)[] Sizes =>
        [(128, 64, 128), (129, 40, 136), (33, 96, 200), (1, 288, 72), (200, 64, 16), (70, 72, 33), (65, 33, 65), (40, 8, 24), (7, 1, 5)];

    [Theory]
    [MemberData(nameof(Types))]
    public void Forward_and_backward(int architecture, DataType type, DataType weightType)
    {
        using var bench = new ProductBench(architecture, type);
        foreach ((int rows, int reduction, int columns) in Sizes)
        {
            foreach (bool transposed in new[] { true, false })
            {
                bench.Launches.Clear();
                Operand x = bench.Make(rows, reduction, type);
                Operand weight = transposed ? bench.Make(columns, reduction, weightType) : bench.Make(reduction, columns, weightType);
                Operand y = bench.Make(rows, columns, type);
                Multiply(bench, transposed, x, weight, y, -0.5f, false, null);
                double[] exact = Exact(transposed, x, weight, rows, reduction, columns, -0.5);
                Accuracy.AssertClose(exact, bench.Read(y.Tensor), ProductBench.Bound(type), $"[{rows}, {reduction}] to {columns}, transposed {transposed}");
                Assert.Single(bench.TensorLaunches);
            }
        }
    }

    private static double[] Exact(bool transposed, Operand x, Operand weight, int rows, int reduction, int columns, double scale) =>
        ReferenceElementwise.Scale(
            transposed
                ? ReferenceProducts.MatMulTransposed(x.Values, weight.Values, rows, reduction, columns)
                : ReferenceProducts.MatMul(x.Values, weight.Values, rows, reduction, columns),
            scale);

    private static void Multiply(ProductBench bench, bool transposed, Operand x, Operand weight, Operand y, float scale, bool accumulate, LowRankTerm? term)
    {
        if (transposed)
        {
            bench.Backend.MatMulTransposed(x.Tensor, weight.Tensor, y.Tensor, scale, accumulate, term);
        }
        else
        {
            bench.Backend.MatMul(x.Tensor, weight.Tensor, y.Tensor, scale, accumulate, term);
        }
    }
}
