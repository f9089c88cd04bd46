using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        CheckProduct("MatMulTransposed", x, weight, true, y, term);
        if (y.Shape.Count > 0 && !TryNf4Forward(x, weight, y, scale, accumulate, term)
            && !TryTensorProduct(ProductForm.Transposed, x, weight, y, scale, accumulate, term))
        {
            MultiplyGeneral(ProductForm.Transposed, x, weight, y, scale, accumulate, term);
        }
    }

    /// <inheritdoc/>
    public void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        CheckProduct("MatMul", x, weight, false, y, term);
        if (y.Shape.Count > 0 && !TryNf4Backward(x, weight, y, scale, accumulate, term)
            && !TryTensorProduct(ProductForm.Plain, x, weight, y, scale, accumulate, term))
        {
            MultiplyGeneral(ProductForm.Plain, x, weight, y, scale, accumulate, term);
        }
    }

    /// <inheritdoc/>
    public void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        const string Operation = "MatMulGradient";
        CheckFloating(a, Operation, "a");
        CheckFloating(b, Operation, "b");
        if (a.Shape.Rows != b.Shape.Rows)
        {
            throw new ShapeException(Operation, "b", $"[{a.Shape.Rows}, columns]", b.Shape.ToString());
        }

        ShapeException.ThrowIfNot(y, DataType.Float32, Operation, "y");
        ShapeException.ThrowIfNot(y, new Shape(a.Shape.Columns, b.Shape.Columns), Operation, "y");
        if (y.Shape.Count > 0 && !TryTensorProduct(ProductForm.Gradient, a, b, y, 1, accumulate, null))
        {
            GradientGeneral(a, b, y, accumulate);
        }
    }

    private static void CheckProduct(string operation, Tensor x, Tensor weight, bool transposed, Tensor y, LowRankTerm? term)
    {
        CheckFloating(x, operation, "x");
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.DataType == DataType.Int32)
        {
            throw new ShapeException(operation, "weight", "Float32, Float16, BFloat16 or Nf4", "Int32");
        }

        if (weight.DataType == DataType.Nf4 && weight.Quantization is null)
        {
            throw new ShapeException(operation, "weight", "NF4 with its absolute maxima", $"{weight} without them");
        }

        int outputs = transposed ? weight.Shape.Rows : weight.Shape.Columns;
        ShapeException.ThrowIfColumnsNot(x, transposed ? weight.Shape.Columns : weight.Shape.Rows, operation, "x");
        CheckFloating(y, operation, "y");
        ShapeException.ThrowIfNot(y, new Shape(x.Shape.Rows, outputs), operation, "y");
        if (term is { } second)
        {
            CheckFloating(second.Low, operation, "low");
            ShapeException.ThrowIfNot(second.Factor, DataType.Float32, operation, "factor");
            int rank = second.Low.Shape.Columns;
            ShapeException.ThrowIfNot(second.Low, new Shape(x.Shape.Rows, rank), operation, "low");
            ShapeException.ThrowIfNot(second.Factor, transposed ? new Shape(outputs, rank) : new Shape(rank, outputs), operation, "factor");
        }
    }

    private static void CheckFloating(Tensor tensor, string operation, string operand)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (!IsFloating(tensor))
        {
            throw new ShapeException(operation, operand, "Float32, Float16 or BFloat16", tensor.DataType.ToString());
        }
    }
}
