using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void AddBias(Tensor y, Tensor bias) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void SumRows(Tensor x, Tensor sums, bool accumulate) => throw new NotSupportedException();
}
