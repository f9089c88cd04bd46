using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step) => throw new NotSupportedException();

    /// <inheritdoc/>
    public double SumOfSquares(Tensor x) => throw new NotSupportedException();
}
