using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void Gather(Tensor table, Tensor ids, Tensor y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable) => throw new NotSupportedException();
}
