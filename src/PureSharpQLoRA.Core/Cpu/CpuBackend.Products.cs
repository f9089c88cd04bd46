using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly ColumnSumWork _columnSums = new();

    /// <inheritdoc/>
    public void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null) =>
        Multiply("MatMulTransposed", x, weight, true, y, scale, accumulate, term);

    /// <inheritdoc/>
    public void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null) =>
        Multiply("MatMul", x, weight, false, y, scale, accumulate, term);

    /// <inheritdoc/>
    public void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        const string Operation = "MatMulGradient";
        ShapeException.ThrowIfNot(a, DataType.Float32, Operation, "a");
        ShapeException.ThrowIfNot(b, DataType.Float32, Operation, "b");
        if (a.Shape.Rows != b.Shape.Rows)
        {
            throw new ShapeException(Operation, "b", $"[{a.Shape.Rows}, columns]", b.Shape.ToString());
        }

        ShapeException.ThrowIfNot(y, new Shape(a.Shape.Columns, b.Shape.Columns), Operation, "y");
        Products.MultiplyGradient(a, b, WriteFloats(y, Operation, "y"), accumulate);
    }

    /// <inheritdoc/>
    public void AddBias(Tensor y, Tensor bias)
    {
        ArgumentNullException.ThrowIfNull(y);
        ShapeException.ThrowIfNot(bias, new Shape(y.Shape.Columns), "AddBias", "bias");
        var operands = new RowOperands
        {
            A = WriteFloats(y, "AddBias", "y"),
            B = ReadFloats(bias, "AddBias", "bias"),
            Width = y.Shape.Columns,
        };
        _rows.Run(_team, y.Shape.Rows, operands, &AddBiasRows);
    }

    /// <inheritdoc/>
    public void SumRows(Tensor x, Tensor sums, bool accumulate)
    {
        ArgumentNullException.ThrowIfNull(x);
        ShapeException.ThrowIfNot(sums, new Shape(x.Shape.Columns), "SumRows", "sums");
        float* values = ReadFloats(x, "SumRows", "x");
        _columnSums.Run(_team, values, null, null, x.Shape.Rows, x.Shape.Columns, WriteFloats(sums, "SumRows", "sums"), accumulate);
    }

    private static void AddBiasRows(in RowOperands operands, int first, int end)
    {
        for (int row = first; row < end; row++)
        {
            float* y = operands.A + (nint)row * operands.Width;
            int done = 0;
            for (; Vector256.IsHardwareAccelerated && done + 8 <= operands.Width; done += 8)
            {
                (Vector256.Load(y + done) + Vector256.Load(operands.B + done)).Store(y + done);
            }

            for (; done < operands.Width; done++)
            {
                y[done] += operands.B[done];
            }
        }
    }

    private void Multiply(string operation, Tensor x, Tensor weight, bool transposed, Tensor y, float scale, bool accumulate, LowRankTerm? term)
    {
        ShapeException.ThrowIfNot(x, DataType.Float32, operation, "x");
        CheckWeight(weight, operation, "weight");
        int outputs = transposed ? weight.Shape.Rows : weight.Shape.Columns;
        ShapeException.ThrowIfColumnsNot(x, transposed ? weight.Shape.Columns : weight.Shape.Rows, operation, "x");
        ShapeException.ThrowIfNot(y, new Shape(x.Shape.Rows, outputs), operation, "y");
        if (term is { } second)
        {
            ShapeException.ThrowIfNot(second.Low, DataType.Float32, operation, "low");
            CheckWeight(second.Factor, operation, "factor");
            int rank = second.Low.Shape.Columns;
            ShapeException.ThrowIfNot(second.Low, new Shape(x.Shape.Rows, rank), operation, "low");
            ShapeException.ThrowIfNot(second.Factor, transposed ? new Shape(outputs, rank) : new Shape(rank, outputs), operation, "factor");
        }

        Products.Multiply(x, weight, transposed, WriteFloats(y, operation, "y"), scale, accumulate, term);
    }

    private static void CheckWeight(Tensor weight, string operation, string operand)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.DataType is DataType.Int32 or DataType.UInt8)
        {
            throw new ShapeException(operation, operand, "Float32, Float16, BFloat16 or Nf4", weight.DataType.ToString());
        }

        if (weight.DataType == DataType.Nf4 && weight.Quantization is null)
        {
            throw new ShapeException(operation, operand, "NF4 with its absolute maxima", $"{weight} without them");
        }
    }
}
