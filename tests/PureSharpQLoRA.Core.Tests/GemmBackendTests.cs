using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests;

/// <summary>The products as the backend offers them: checks of shapes, biases, and the row and column operations of DoRA.</summary>
public sealed unsafe class GemmBackendTests : IDisposable
{
    private readonly CpuBackend _backend = new(new CpuOptions { Threads = 2 });
    private readonly TensorScope _scope;
    private readonly Random _random = new(11);

    public GemmBackendTests()
    {
        FallbackRun.CheckInstructions();
        _scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
    }

    public void Dispose()
    {
        _scope.Dispose();
        _backend.Dispose();
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 33)]
    [InlineData(70, 172)]
    public void Bias_is_added_and_rows_are_summed(int rows, int columns)
    {
        Tensor x = Random(new Shape(rows, columns));
        Tensor bias = Random(new Shape(columns));
        Tensor sums = Random(new Shape(columns));
        double[] values = GemmFixture.Values(x), biases = GemmFixture.Values(bias), before = GemmFixture.Values(sums);
        _backend.SumRows(x, sums, accumulate: true);
        AssertClose(Columns(columns, n => before[n] + Enumerable.Range(0, rows).Sum(i => values[i * columns + n])), sums);
        _backend.SumRows(x, sums, accumulate: false);
        AssertClose(Columns(columns, n => Enumerable.Range(0, rows).Sum(i => values[i * columns + n])), sums);
        _backend.AddBias(x, bias);
        AssertClose(Columns(rows * columns, i => values[i] + biases[i % columns]), x);
    }

    [Theory]
    [InlineData(3, 17)]
    [InlineData(40, 96)]
    public void Columns_are_scaled_and_dotted(int rows, int columns)
    {
        Tensor x = Random(new Shape(rows, columns)), y = Random(new Shape(rows, columns));
        Tensor numerator = Random(new Shape(columns)), denominator = Random(new Shape(columns)), result = Random(new Shape(columns));
        foreach (ref float value in GemmFixture.Floats(denominator))
        {
            value = 1 + Math.Abs(value);
        }

        double[] a = GemmFixture.Values(x), b = GemmFixture.Values(y), top = GemmFixture.Values(numerator);
        double[] bottom = GemmFixture.Values(denominator), before = GemmFixture.Values(result);
        _backend.ColumnDots(x, y, denominator, result, accumulate: true);
        AssertClose(
            Columns(columns, n => before[n] + Enumerable.Range(0, rows).Sum(i => a[i * columns + n] * b[i * columns + n]) / bottom[n]), result, 3e-6);
        _backend.ScaleColumns(x, numerator, denominator, x);
        AssertClose(Columns(rows * columns, i => a[i] * top[i % columns] / bottom[i % columns]), x);
    }

    [Theory]
    [InlineData(DataType.Float32, 7, 33, 5)]
    [InlineData(DataType.BFloat16, 16, 100, 8)]
    [InlineData(DataType.Nf4, 9, 172, 4)]
    [InlineData(DataType.Nf4, 64, 288, 16)]
    public void Norms_of_the_adapted_rows(DataType type, int outputs, int inputs, int rank)
    {
        Tensor weight = _scope.Allocate(new Shape(outputs, inputs), type);
        int blocks = (int)Nf4Format.Blocks((long)outputs * inputs);
        if (type == DataType.Nf4)
        {
            weight.AttachStatistics(new Nf4Statistics(Random(new Shape(blocks))));
            _random.NextBytes(new Span<byte>((void*)weight.Address, (int)weight.Bytes));
        }
        else if (type == DataType.Float32)
        {
            Fill(weight);
        }
        else
        {
            foreach (ref ushort bits in new Span<ushort>((void*)weight.Address, outputs * inputs))
            {
                bits = (ushort)(BitConverter.SingleToUInt32Bits(_random.NextSingle() - 0.5f) >> 16);
            }
        }

        Tensor a = Random(new Shape(rank, inputs)), b = Random(new Shape(outputs, rank)), norms = Random(new Shape(outputs));
        _backend.AdaptedRowNorms(weight, a, b, 1.5f, norms);
        double[] w = GemmFixture.Values(weight);
        double[] update = GemmFixture.ProductOf(b, a, transposed: false);
        AssertClose(
            Columns(outputs, n => Math.Sqrt(Enumerable.Range(n * inputs, inputs).Sum(i => (w[i] + 1.5 * update[i]) * (w[i] + 1.5 * update[i])))), norms);
    }

    [Fact]
    public void Operands_that_do_not_fit_are_named()
    {
        Tensor x = Random(new Shape(4, 8)), weight = Random(new Shape(6, 9)), y = Random(new Shape(4, 6));
        Assert.Equal("MatMulTransposed: x should be [..., 9] but is [4, 8].", Assert.Throws<ShapeException>(() => _backend.MatMulTransposed(x, weight, y)).Message);
        Tensor wide = Random(new Shape(4, 9));
        Assert.Contains("y should be [4, 6] but is [4, 9]", Assert.Throws<ShapeException>(() => _backend.MatMulTransposed(wide, weight, wide)).Message, StringComparison.Ordinal);
        var term = new LowRankTerm(Random(new Shape(4, 2)), Random(new Shape(2, 6)));
        Assert.Contains(
            "factor should be [6, 2] but is [2, 6]",
            Assert.Throws<ShapeException>(() => _backend.MatMulTransposed(wide, weight, y, term: term)).Message,
            StringComparison.Ordinal);
        Assert.Contains("b should be [4, columns]", Assert.Throws<ShapeException>(() => _backend.MatMulGradient(x, weight, y, false)).Message, StringComparison.Ordinal);
        Tensor codes = _scope.Allocate(new Shape(6, 9), DataType.Nf4);
        Assert.Contains("absolute maxima", Assert.Throws<ShapeException>(() => _backend.MatMulTransposed(wide, codes, y)).Message, StringComparison.Ordinal);
    }

    private static double[] Columns(int count, Func<int, double> value) => [.. Enumerable.Range(0, count).Select(value)];

    private static void AssertClose(double[] exact, Tensor actual, double tolerance = 1e-6)
    {
        double error = GemmFixture.RelativeError(GemmFixture.Floats(actual), exact);
        Assert.True(error < tolerance, $"relative error {error:E2}");
    }

    private Tensor Random(Shape shape)
    {
        Tensor tensor = _scope.Allocate(shape);
        Fill(tensor);
        return tensor;
    }

    private void Fill(Tensor tensor)
    {
        foreach (ref float value in GemmFixture.Floats(tensor))
        {
            value = _random.NextSingle() * 2 - 1;
        }
    }
}
