using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate) => throw new NotSupportedException();
}
