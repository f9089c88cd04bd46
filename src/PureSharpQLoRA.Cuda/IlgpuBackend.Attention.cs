using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past) => throw new NotSupportedException();

    /// <inheritdoc/>
    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts) => throw new NotSupportedException();
}
