using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float scale, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void AddSum(Tensor x, Tensor total) => throw new NotSupportedException();
}
