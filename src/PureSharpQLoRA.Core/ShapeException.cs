namespace PureSharpQLoRA.Core;

/// <summary>An operation was given tensors whose shapes or types do not fit.</summary>
public sealed class ShapeException : ArgumentException
{
    /// <summary>Names the operation, the operand, and what was expected instead of what came.</summary>
    public ShapeException(string operation, string operand, string expected, string actual)
        : base($"{operation}: {operand} should be {expected} but is {actual}.")
    {
        Operation = operation;
        Expected = expected;
        Actual = actual;
    }

    /// <summary>The operation that refused.</summary>
    public string Operation { get; }

    /// <summary>What it needed.</summary>
    public string Expected { get; }

    /// <summary>What it was given.</summary>
    public string Actual { get; }

    /// <summary>Throws unless <paramref name="tensor"/> has the given shape; formats nothing in the good case.</summary>
    public static void ThrowIfNot(Tensor tensor, Shape shape, string operation, string operand)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Shape != shape)
        {
            throw new ShapeException(operation, operand, shape.ToString(), tensor.Shape.ToString());
        }
    }

    /// <summary>Throws unless <paramref name="tensor"/> holds the given type.</summary>
    public static void ThrowIfNot(Tensor tensor, DataType type, string operation, string operand)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.DataType != type)
        {
            throw new ShapeException(operation, operand, type.ToString(), tensor.DataType.ToString());
        }
    }

    /// <summary>Throws unless the last extent of <paramref name="tensor"/> is <paramref name="columns"/>.</summary>
    public static void ThrowIfColumnsNot(Tensor tensor, int columns, string operation, string operand)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.Shape.Columns != columns)
        {
            throw new ShapeException(operation, operand, $"[..., {columns}]", tensor.Shape.ToString());
        }
    }
}
