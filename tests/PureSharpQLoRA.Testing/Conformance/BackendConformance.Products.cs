using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;
using static PureSharpQLoRA.Testing.ReferenceOps.ReferenceElementwise;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    public static TheoryData<DataType, bool> WeightCases =>
    [
        (DataType.Float32, true), (DataType.Float32, false), (DataType.Float16, true), (DataType.Float16, false),
        (DataType.BFloat16, true), (DataType.BFloat16, false), (DataType.Nf4, true), (DataType.Nf4, false),
    ];

    /// <summary>Every width as reduction and as outputs; NF4 blocks cross the rows of all but two of them.</summary>
    [Theory]
    [MemberData(nameof(WeightCases))]
    public void Product(DataType type, bool transposed)
    {
        foreach (int inputs in Widths)
        {
            foreach (int outputs in Widths)
            {
                int rows = TokenCounts[(inputs + outputs) % TokenCounts.Length];
                CheckProduct(type, transposed, rows, inputs, outputs, 1, false, 0);
            }
        }
    }

    [Theory]
    [MemberData(nameof(WeightCases))]
    public void Product_scaled_added_and_with_a_low_rank_term(DataType type, bool transposed)
    {
        foreach (int rows in TokenCounts)
        {
            CheckProduct(type, transposed, rows, 172, 64, 0.75f, false, 0);
            CheckProduct(type, transposed, rows, 17, 172, 1, true, 0);
            CheckProduct(type, transposed, rows, 64, 288, 1, false, 8);
            CheckProduct(type, transposed, rows, 15, 33, -1.5f, true, 3);
            CheckProduct(type, transposed, rows, 288, 17, 0.5f, true, 16);
            CheckProduct(type, transposed, rows, 1, 1, 2, true, 1);
        }
    }

    /// <summary>Long reductions are split into slices.</summary>
    [Theory]
    [MemberData(nameof(WeightCases))]
    public void Product_with_a_long_reduction(DataType type, bool transposed)
    {
        CheckProduct(type, transposed, 33, 1099, 50, 1, true, 5);
        CheckProduct(type, transposed, 5, 2049, 31, 1, false, 0);
    }

    [Fact]
    public void Gradient_of_a_weight()
    {
        foreach (int tokens in TokenCounts)
        {
            foreach (int rows in Widths)
            {
                int columns = Widths[(rows + tokens) % Widths.Length];
                if (IsTooLarge((long)tokens * rows * columns))
                {
                    continue;
                }

                Operand a = Activation(tokens, rows), b = Activation(tokens, columns);
                double[] exact = ReferenceProducts.MatMulGradient(a.Values, b.Values, tokens, rows, columns);
                double[] squares = ReferenceProducts.MatMulGradient(Square(a.Values), Square(b.Values), tokens, rows, columns);
                GuardedOutput y = Output(new Shape(rows, columns));
                Backend.MatMulGradient(a.Tensor, b.Tensor, y.Tensor, accumulate: false);
                y.AssertCloseFor(Root(squares), exact, Bounds.Product, $"{tokens} tokens, [{rows}, {columns}]");

                double[] before = RandomValues(exact.Length);
                y = Output(new Shape(rows, columns), before);
                Backend.MatMulGradient(a.Tensor, b.Tensor, y.Tensor, accumulate: true);
                double[] scale = Root(Add(Square(before), squares));
                y.AssertCloseFor(scale, Add(before, exact), Bounds.Product, $"{tokens} tokens, [{rows}, {columns}], added");
                Scope.Reset();
            }
        }
    }

    /// <summary>The head of a model: logits and their gradient are fp32 whatever the activations are.</summary>
    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    public void Products_of_the_head(DataType type)
    {
        foreach (int rows in TokenCounts)
        {
            foreach ((int width, int vocabulary) in new[] { (17, 64), (64, 172), (172, 513) })
            {
                if (IsTooLarge((long)rows * width * vocabulary))
                {
                    continue;
                }

                Operand hidden = Activation(rows, width), weight = Random(vocabulary, width, type), dLogits = Random(rows, vocabulary);
                FormattableString what = $"[{rows}, {width}], vocabulary {vocabulary}";
                GuardedOutput logits = Output(new Shape(rows, vocabulary)), dHidden = ActivationOutput(new Shape(rows, width)), dWeight = Output(new Shape(vocabulary, width));
                Backend.MatMulTransposed(hidden.Tensor, weight.Tensor, logits.Tensor);
                double[] squares = ReferenceProducts.MatMulTransposed(Square(hidden.Values), Square(weight.Values), rows, width, vocabulary);
                logits.AssertCloseFor(
                    Root(squares), ReferenceProducts.MatMulTransposed(hidden.Values, weight.Values, rows, width, vocabulary), Bounds.Product, what);

                Backend.MatMul(dLogits.Tensor, weight.Tensor, dHidden.Tensor);
                squares = ReferenceProducts.MatMul(Square(dLogits.Values), Square(weight.Values), rows, vocabulary, width);
                dHidden.AssertCloseFor(
                    Root(squares), ReferenceProducts.MatMul(dLogits.Values, weight.Values, rows, vocabulary, width), Bounds.Product, what);

                Backend.MatMulGradient(dLogits.Tensor, hidden.Tensor, dWeight.Tensor, accumulate: false);
                squares = ReferenceProducts.MatMulGradient(Square(dLogits.Values), Square(hidden.Values), rows, vocabulary, width);
                dWeight.AssertCloseFor(
                    Root(squares), ReferenceProducts.MatMulGradient(dLogits.Values, hidden.Values, rows, vocabulary, width), Bounds.Product, what);
                Scope.Reset();
            }
        }
    }

    /// <summary>A backend that keeps prepared forms of its operands notices when their content changes.</summary>
    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Nf4)]
    public void Product_of_an_operand_that_was_written_again(DataType type)
    {
        SkipIfTooLarge(33 * 64 * 48);
        Operand x = Activation(33, 64), weight = Random(48, 64, type);
        for (int round = 0; round < 3; round++)
        {
            GuardedOutput y = ActivationOutput(new Shape(33, 48));
            Backend.MatMulTransposed(x.Tensor, weight.Tensor, y.Tensor);
            double[] exact = ReferenceProducts.MatMulTransposed(x.Values, weight.Values, 33, 64, 48);
            y.AssertClose(exact, Bounds.Product, $"round {round}");
            double[] next = RandomActivations(x.Values.Length);
            HostCopies.Upload(Backend, [.. next.Select(value => (float)value)], x.Tensor);
            x = x with { Values = next };
        }
    }

    [Fact]
    public void Bias_and_column_sums()
    {
        foreach (int tokens in TokenCounts)
        {
            foreach (int width in Widths)
            {
                if (IsTooLarge((long)tokens * width))
                {
                    continue;
                }

                Operand x = Activation(tokens, width), bias = Random(new Shape(width));
                GuardedOutput y = ActivationOutput(new Shape(tokens, width), x.Values);
                Backend.AddBias(y.Tensor, bias.Tensor);
                y.AssertClose(ReferenceProducts.AddBias(x.Values, bias.Values), Bounds.Elementwise, $"bias, [{tokens}, {width}]");

                double[] exact = ReferenceProducts.SumRows(x.Values, width), squares = ReferenceProducts.SumRows(Square(x.Values), width);
                GuardedOutput sums = Output(new Shape(width));
                Backend.SumRows(x.Tensor, sums.Tensor, accumulate: false);
                sums.AssertCloseFor(Root(squares), exact, Bounds.ColumnSum, $"sums, [{tokens}, {width}]");

                sums = Output(new Shape(width), bias.Values);
                Backend.SumRows(x.Tensor, sums.Tensor, accumulate: true);
                double[] scale = Root(Add(Square(bias.Values), squares));
                sums.AssertCloseFor(scale, Add(bias.Values, exact), Bounds.ColumnSum, $"sums added, [{tokens}, {width}]");
                Scope.Reset();
            }
        }
    }

    [Fact]
    public void Operands_of_products_that_do_not_fit_are_refused()
    {
        Tensor x = Activation(3, 16).Tensor, weight = Random(8, 16).Tensor, y = Activation(3, 8).Tensor, codes = Scope.Allocate(new Shape(8, 16), DataType.Nf4);
        Assert.Throws<ShapeException>(() => Backend.MatMulTransposed(x, weight, x));
        Assert.Throws<ShapeException>(() => Backend.MatMulTransposed(y, weight, y));
        Assert.Throws<ShapeException>(() => Backend.MatMul(x, weight, y));
        Assert.Throws<ShapeException>(() => Backend.MatMulTransposed(x, codes, y));
        Assert.Throws<ShapeException>(() => Backend.MatMulTransposed(x, weight, y, term: new LowRankTerm(Activation(3, 4).Tensor, Random(4, 8).Tensor)));
        Assert.Throws<ShapeException>(() => Backend.MatMulGradient(x, Activation(4, 8).Tensor, Random(16, 8).Tensor, false));
        Assert.Throws<ShapeException>(() => Backend.AddBias(y, Random(new Shape(7)).Tensor));
        Assert.Throws<ShapeException>(() => Backend.SumRows(y, Random(new Shape(7)).Tensor, false));
    }

    private void CheckProduct(DataType type, bool transposed, int rows, int inputs, int outputs, float scale, bool accumulate, int rank)
    {
        if (IsTooLarge((long)rows * inputs * outputs))
        {
            return;
        }

        Operand x = Activation(rows, inputs);
        Operand weight = transposed ? Random(outputs, inputs, type) : Random(inputs, outputs, type);
        double[] exact = Scale(Multiply(x.Values, weight.Values, inputs), scale);
        double[] squares = Scale(Multiply(Square(x.Values), Square(weight.Values), inputs), scale * scale);
        LowRankTerm? term = null;
        if (rank > 0)
        {
            Operand low = Activation(rows, rank), factor = transposed ? Random(outputs, rank) : Random(rank, outputs);
            term = new LowRankTerm(low.Tensor, factor.Tensor);
            exact = Add(exact, Multiply(low.Values, factor.Values, rank));
            squares = Add(squares, Multiply(Square(low.Values), Square(factor.Values), rank));
        }

        double[]? before = accumulate ? RandomActivations(exact.Length) : null;
        GuardedOutput y = ActivationOutput(new Shape(rows, outputs), before);
        if (transposed)
        {
            Backend.MatMulTransposed(x.Tensor, weight.Tensor, y.Tensor, scale, accumulate, term);
        }
        else
        {
            Backend.MatMul(x.Tensor, weight.Tensor, y.Tensor, scale, accumulate, term);
        }

        if (before is not null)
        {
            (exact, squares) = (Add(before, exact), Add(Square(before), squares));
        }

        y.AssertCloseFor(Root(squares), exact, Bounds.Product, $"[{rows}, {inputs}] to [{rows}, {outputs}], {scale} x, added {accumulate}, rank {rank}");
        Scope.Reset();

        double[] Multiply(double[] left, double[] right, int reduction) => transposed
            ? ReferenceProducts.MatMulTransposed(left, right, rows, reduction, outputs)
            : ReferenceProducts.MatMul(left, right, rows, reduction, outputs);
    }
}
