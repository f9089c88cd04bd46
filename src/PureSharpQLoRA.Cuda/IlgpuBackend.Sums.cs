using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float scale, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public double Sum(Tensor x) => throw new NotSupportedException();
}
