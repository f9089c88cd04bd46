namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly AdaptedNormWork _adaptedNorms = new();

    /// <inheritdoc/>
    public void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms)
    {
        const string Operation = "AdaptedRowNorms";
        CheckWeight(weight, Operation, "weight");
        ArgumentNullException.ThrowIfNull(a);
        ShapeException.ThrowIfColumnsNot(a, weight.Shape.Columns, Operation, "a");
        ShapeException.ThrowIfNot(b, new Shape(weight.Shape.Rows, a.Shape.Rows), Operation, "b");
        ShapeException.ThrowIfNot(norms, new Shape(weight.Shape.Rows), Operation, "norms");
        float* aValues = ReadFloats(a, Operation, "a");
        float* bValues = ReadFloats(b, Operation, "b");
        _adaptedNorms.Run(_team, Memory, new Gemm.RightOperand(weight, true), aValues, bValues, a.Shape.Rows, scale, WriteFloats(norms, Operation, "norms"));
    }

    /// <inheritdoc/>
    public void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y)
    {
        const string Operation = "ScaleColumns";
        ArgumentNullException.ThrowIfNull(x);
        var width = new Shape(x.Shape.Columns);
        ShapeException.ThrowIfNot(numerator, width, Operation, "numerator");
        ShapeException.ThrowIfNot(denominator, width, Operation, "denominator");
        ShapeException.ThrowIfNot(y, x.Shape, Operation, "y");
        var operands = new RowOperands
        {
            A = ReadFloats(x, Operation, "x"),
            B = ReadFloats(numerator, Operation, "numerator"),
            C = ReadFloats(denominator, Operation, "denominator"),
            D = WriteFloats(y, Operation, "y"),
            Width = x.Shape.Columns,
        };
        _rows.Run(_team, x.Shape.Rows, operands, &ScaleColumnsRows);
    }

    /// <inheritdoc/>
    public void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate)
    {
        const string Operation = "ColumnDots";
        ArgumentNullException.ThrowIfNull(x);
        var width = new Shape(x.Shape.Columns);
        ShapeException.ThrowIfNot(y, x.Shape, Operation, "y");
        ShapeException.ThrowIfNot(denominator, width, Operation, "denominator");
        ShapeException.ThrowIfNot(result, width, Operation, "result");
        float* xValues = ReadFloats(x, Operation, "x");
        float* yValues = ReadFloats(y, Operation, "y");
        float* denominators = ReadFloats(denominator, Operation, "denominator");
        float* sums = WriteFloats(result, Operation, "result");
        _columnSums.Run(_team, xValues, yValues, denominators, x.Shape.Rows, x.Shape.Columns, sums, accumulate);
    }

    private static void ScaleColumnsRows(in RowOperands operands, int first, int end)
    {
        for (int row = first; row < end; row++)
        {
            nint at = (nint)row * operands.Width;
            for (int column = 0; column < operands.Width; column += VectorParts.Lanes)
            {
                int lanes = operands.Width - column;
                var x = VectorParts.Load(operands.A + at + column, lanes);
                var factor = VectorParts.Load(operands.B + column, lanes) / VectorParts.Load(operands.C + column, lanes, 1);
                VectorParts.Store(x * factor, operands.D + at + column, lanes);
            }
        }
    }
}
