using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void AddUniformNoise(Tensor x, float amplitude, ulong seed) => throw new NotSupportedException();
}
