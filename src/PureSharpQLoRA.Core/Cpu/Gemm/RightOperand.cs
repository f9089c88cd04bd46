namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// The right operand of a product, a matrix as it is stored: row-major, dense or NF4. The product sees it as [Reduction, Outputs], but it is
/// never written out that way: panels are packed, and decoded, as the product asks for them.
/// </summary>
internal readonly unsafe struct RightOperand
{
    public RightOperand(Tensor tensor, bool transposed)
    {
        Type = tensor.DataType;
        Values = (byte*)tensor.Address;
        Rows = tensor.Shape.Rows;
        Columns = tensor.Shape.Columns;
        IsTransposed = transposed;
        if (Type == DataType.Nf4)
        {
            Tensor scales = tensor.Quantization?.AbsoluteMaxima
                ?? throw new InvalidOperationException($"The NF4 tensor {tensor.Shape} has no absolute maxima.");
            Scales = (float*)scales.Address;
        }
    }

    public DataType Type { get; }

    /// <summary>The elements, or the NF4 codes.</summary>
    public byte* Values { get; }

    /// <summary>One fp32 per 64 flat elements, for NF4.</summary>
    public float* Scales { get; }

    /// <summary>Rows as stored.</summary>
    public int Rows { get; }

    /// <summary>Columns as stored.</summary>
    public int Columns { get; }

    /// <summary>Whether stored rows are columns of the product.</summary>
    public bool IsTransposed { get; }

    public int Reduction => IsTransposed ? Columns : Rows;

    public int Outputs => IsTransposed ? Rows : Columns;
}
