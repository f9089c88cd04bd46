using PureSharpQLoRA.Core;
using PureSharpQLoRA.PtxMachine;
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
        (80, DataType.Float16, DataType.Float16), (80, DataType.BFloat16, DataType.BFloat16), (80, DataType.BFloat16, DataType.Float16),
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

    /// <summary>The second term goes along in the same pass; its rank may be anything, as may be the alignment of every operand.</summary>
    [Theory]
    [InlineData(75, DataType.Float16)]
    [InlineData(80, DataType.Float16)]
    [InlineData(80, DataType.BFloat16)]
    public void Second_term_and_accumulation(int architecture, DataType type)
    {
        using var bench = new ProductBench(architecture, type);
        foreach ((int rows, int reduction, int columns, int rank, int shift) in new[] { (129, 40, 136, 16, 0), (40, 64, 48, 64, 1), (65, 72, 68, 4, 3), (33, 17, 19, 3, 2) })
        {
            foreach (bool transposed in new[] { true, false })
            {
                bench.Launches.Clear();
                Operand x = bench.Make(rows, reduction, type, shift), y = bench.Make(rows, columns, type, shift), low = bench.Make(rows, rank, type, shift);
                Operand weight = transposed ? bench.Make(columns, reduction, type, shift) : bench.Make(reduction, columns, type, shift);
                Operand factor = transposed ? bench.Make(columns, rank, DataType.Float32) : bench.Make(rank, columns, DataType.Float32);
                Multiply(bench, transposed, x, weight, y, 1, true, new LowRankTerm(low.Tensor, factor.Tensor));
                double[] exact = ReferenceElementwise.Add(y.Values, Exact(transposed, x, weight, rows, reduction, columns, 1));
                exact = ReferenceElementwise.Add(exact, Exact(transposed, low, factor, rows, rank, columns, 1));
                Accuracy.AssertClose(exact, bench.Read(y.Tensor), ProductBench.Bound(type), $"[{rows}, {reduction}] to {columns}, rank {rank}, transposed {transposed}");
                Assert.Single(bench.TensorLaunches);
            }
        }
    }

    /// <summary>Logits are fp32; so is their gradient, which keeps its precision however small or large the loss is scaled.</summary>
    [Theory]
    [InlineData(75, DataType.Float16)]
    [InlineData(80, DataType.BFloat16)]
    public void Head(int architecture, DataType type)
    {
        using var bench = new ProductBench(architecture, type);
        foreach ((int tokens, int width, int vocabulary) in new[] { (33, 64, 515), (70, 40, 136) })
        {
            Operand hidden = bench.Make(tokens, width, type), weight = bench.Make(vocabulary, width, type), logits = bench.Make(tokens, vocabulary, DataType.Float32);
            Multiply(bench, true, hidden, weight, logits, 1, false, null);
            Accuracy.AssertClose(Exact(true, hidden, weight, tokens, width, vocabulary, 1), bench.Read(logits.Tensor), 1e-6, $"logits of {vocabulary}");
            foreach (int exponent in new[] { -16, 0, 16 })
            {
                // Elements that fp16 cannot hold, with results that it can.
                double size = Math.Pow(2, exponent), weightSize = Math.Pow(2, -exponent * 3 / 4);
                Operand gradient = bench.Make(tokens, vocabulary, DataType.Float32, [.. bench.Values(tokens * vocabulary).Select((v, k) => v * size * (1 + k / vocabulary))]);
                Operand scaled = bench.Make(vocabulary, width, type, ReferenceElementwise.Scale(weight.Values, weightSize));
                Operand result = bench.Make(tokens, width, type, ReferenceElementwise.Scale(hidden.Values, size * weightSize));
                double[] exact = ReferenceElementwise.Add(result.Values, Exact(false, gradient, scaled, tokens, vocabulary, width, 1));
                bench.Launches.Clear();
                Multiply(bench, false, gradient, scaled, result, 1, true, null);
                Accuracy.AssertClose(exact, bench.Read(result.Tensor), 2 * ProductBench.Bound(type), $"gradient of logits, {exponent} binary places off");
                Assert.Single(bench.TensorLaunches);
            }
        }
    }

    /// <summary>The gradients of adapters and of whole weights, over tokens in ranges that are summed in order.</summary>
    [Theory]
    [InlineData(75, DataType.Float16)]
    [InlineData(80, DataType.BFloat16)]
    public void Gradients(int architecture, DataType type)
    {
        using var bench = new ProductBench(architecture, type);
        foreach ((int tokens, int rows, int columns) in new[] { (33, 16, 136), (600, 40, 8), (70, 4, 65), (129, 136, 64), (1, 72, 130), (65, 129, 256) })
        {
            foreach (bool accumulate in new[] { false, true })
            {
                bench.Launches.Clear();
                Operand a = bench.Make(tokens, rows, type), b = bench.Make(tokens, columns, type), y = bench.Make(rows, columns, DataType.Float32);
                bench.Backend.MatMulGradient(a.Tensor, b.Tensor, y.Tensor, accumulate);
                double[] exact = ReferenceProducts.MatMulGradient(a.Values, b.Values, tokens, rows, columns);
                exact = accumulate ? ReferenceElementwise.Add(y.Values, exact) : exact;
                Accuracy.AssertClose(exact, bench.Read(y.Tensor), 1e-6, $"{tokens} tokens, [{rows}, {columns}], added {accumulate}");
                Assert.Single(bench.TensorLaunches);
            }
        }
    }

    /// <summary>An adapter is copied to 16 bits once for each value that it has, not for each product.</summary>
    [Fact]
    public void Copies_of_adapters_follow_their_masters()
    {
        using var bench = new ProductBench(75, DataType.Float16);
        Operand x = bench.Make(33, 64, DataType.Float16), a = bench.Make(16, 64, DataType.Float32), low = bench.Make(33, 16, DataType.Float16);
        for (int round = 0; round < 2; round++)
        {
            bench.Launches.Clear();
            Multiply(bench, true, x, a, low, 2, false, null);
            Multiply(bench, true, x, a, low, 2, false, null);
            Accuracy.AssertClose(Exact(true, x, a, 33, 64, 16, 2), bench.Read(low.Tensor), ProductBench.Bound(DataType.Float16), $"round {round}");
            Assert.Single(bench.Launches, l => l.Kernel.Key.Method == "Pad");
            a = a with { Values = bench.Values(16 * 64) };
            bench.Backend.Upload([.. a.Values.Select(v => (float)v)], a.Tensor);
        }
    }

    /// <summary>Whole tiles read what their tiling must and use every byte of a sector; nothing in the inner loop meets a bank conflict.</summary>
    [Theory]
    [InlineData(75, DataType.Float16)]
    [InlineData(80, DataType.BFloat16)]
    public void Traffic(int architecture, DataType type)
    {
        using var bench = new ProductBench(architecture, type);
        const int Rows = 256, Reduction = 96, Columns = 256, Rank = 32;
        int products = architecture == 75 ? 1024 : 2048;
        for (int form = 0; form < 3; form++)
        {
            bench.Launches.Clear();
            Operand y = bench.Make(Rows, Columns, form == 2 ? DataType.Float32 : type);
            if (form == 2)
            {
                bench.Backend.MatMulGradient(bench.Make(Reduction, Rows, type).Tensor, bench.Make(Reduction, Columns, type).Tensor, y.Tensor, false);
            }
            else
            {
                Operand x = bench.Make(Rows, Reduction, type), low = bench.Make(Rows, Rank, type);
                Operand weight = form == 0 ? bench.Make(Columns, Reduction, type) : bench.Make(Reduction, Columns, type);
                Operand factor = form == 0 ? bench.Make(Columns, Rank, DataType.Float32) : bench.Make(Rank, Columns, DataType.Float32);
                Multiply(bench, form == 0, x, weight, y, 1, false, new LowRankTerm(low.Tensor, factor.Tensor));
            }

            LaunchReport report = Assert.Single(bench.TensorLaunches);
            int reduction = form == 2 ? Reduction : Reduction + Rank;
            // Each of the four blocks reads 128 rows of both operands.
            Assert.Equal(4 * 2 * 128 * reduction * 2L, report.GlobalReadSectors * 32);
            Assert.Equal(y.Tensor.Bytes, report.GlobalWriteSectors * 32);
            Assert.Equal(0, report.BankConflicts);
            Assert.Equal((long)Rows * Columns * reduction / products, report.MmaInstructions);
        }
    }

    /// <summary>Bias and column sums touch each element once.</summary>
    [Theory]
    [InlineData(75, DataType.Float16)]
    [InlineData(80, DataType.BFloat16)]
    [InlineData(80, DataType.Float32)]
    public void Bias_and_sums_touch_each_element_once(int architecture, DataType type)
    {
        using var log = new LaunchLog(architecture, type);
        var shape = new Shape(64, 512);
        Tensor y = log.Scope.Allocate(shape, type), bias = log.Scope.Allocate(new Shape(shape.Columns)), sums = log.Scope.Allocate(new Shape(shape.Columns));
        log.Backend.Fill(y, 2);
        log.Backend.Fill(bias, 0.5f);
        log.Backend.AddBias(y, bias);
        log.AssertTraffic("AddBias", 2 * y.Bytes + bias.Bytes, 1.25);
        Assert.All(log.Backend.ToArray(y), value => Assert.Equal(2.5f, value));
        log.Backend.SumRows(y, sums, accumulate: false);
        Assert.All(log.Backend.ToArray(sums), value => Assert.Equal(160, value));
        log.Launches.RemoveAt(log.Launches.Count - 1);
        log.AssertTraffic("SumRows", y.Bytes + sums.Bytes);
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
