using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control) => throw new NotSupportedException();
}
