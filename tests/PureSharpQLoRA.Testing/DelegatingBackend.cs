using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing;

/// <summary>Passes every operation on to another backend; tests override the ones they watch or replace.</summary>
public abstract class DelegatingBackend(IBackend inner) : IBackend
{
    public virtual string Name => inner.Name;

    public virtual DataType ActivationType => inner.ActivationType;

    public virtual bool SharesHostMemory => inner.SharesHostMemory;

    public virtual MemoryPool Memory => inner.Memory;

    public virtual void Upload(ReadOnlySpan<byte> source, Tensor to) =>
        inner.Upload(source, to);

    public virtual void Download(Tensor from, Span<byte> to) =>
        inner.Download(from, to);

    public virtual void Fill(Tensor x, float value) =>
        inner.Fill(x, value);

    public virtual void Copy(Tensor from, Tensor to) =>
        inner.Copy(from, to);

    public virtual void Add(Tensor a, Tensor b, Tensor y) =>
        inner.Add(a, b, y);

    public virtual void AddScaled(Tensor x, float scale, Tensor y) =>
        inner.AddScaled(x, scale, y);

    public virtual void AddSum(Tensor x, Tensor total) =>
        inner.AddSum(x, total);

    public virtual void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control) =>
        inner.GradientNorm(gradients, lossScale, maxNorm, control);

    public virtual void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null) =>
        inner.MatMulTransposed(x, weight, y, scale, accumulate, term);

    public virtual void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null) =>
        inner.MatMul(x, weight, y, scale, accumulate, term);

    public virtual void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate) =>
        inner.MatMulGradient(a, b, y, accumulate);

    public virtual void AddBias(Tensor y, Tensor bias) =>
        inner.AddBias(y, bias);

    public virtual void SumRows(Tensor x, Tensor sums, bool accumulate) =>
        inner.SumRows(x, sums, accumulate);

    public virtual void QuantizeNf4(Tensor source, Tensor codes) =>
        inner.QuantizeNf4(source, codes);

    public virtual void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate) =>
        inner.Dropout(x, y, probability, seed, accumulate);

    public virtual void AddUniformNoise(Tensor x, float amplitude, ulong seed) =>
        inner.AddUniformNoise(x, amplitude, seed);

    public virtual void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon) =>
        inner.RmsNorm(x, weight, y, epsilon);

    public virtual void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight) =>
        inner.RmsNormBackward(x, weight, dy, epsilon, dx, accumulateX, dWeight, accumulateWeight);

    public virtual void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse) =>
        inner.Rotate(x, cosines, sines, positions, headSize, inverse);

    public virtual void SwiGlu(Tensor gate, Tensor up, Tensor y) =>
        inner.SwiGlu(gate, up, y);

    public virtual void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp) =>
        inner.SwiGluBackward(gate, up, dy, dGate, dUp);

    public virtual void Gather(Tensor table, Tensor ids, Tensor y) =>
        inner.Gather(table, ids, y);

    public virtual void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable) =>
        inner.ScatterAdd(dy, ids, dTable);

    public virtual void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past) =>
        inner.Attention(query, key, value, output, logSumExp, shape, starts, past);

    public virtual void AttentionBackward(Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput, Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts) =>
        inner.AttentionBackward(query, key, value, output, logSumExp, dOutput, dQuery, dKey, dValue, shape, starts);

    public virtual void CrossEntropy(Tensor logits, ReadOnlySpan<int> labels, Tensor losses, float gradientScale) =>
        inner.CrossEntropy(logits, labels, losses, gradientScale);

    public virtual void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms) =>
        inner.AdaptedRowNorms(weight, a, b, scale, norms);

    public virtual void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y) =>
        inner.ScaleColumns(x, numerator, denominator, y);

    public virtual void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate) =>
        inner.ColumnDots(x, y, denominator, result, accumulate);

    public virtual void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control) =>
        inner.AdamW(parameter, gradient, firstMoment, secondMoment, step, control);

    public virtual void AdamW8Bit(Tensor parameter, Tensor gradient, Tensor firstCodes, Tensor firstMaxima, Tensor secondCodes, Tensor secondMaxima, in AdamWStep step, Tensor control) =>
        inner.AdamW8Bit(parameter, gradient, firstCodes, firstMaxima, secondCodes, secondMaxima, step, control);

    public virtual MemoryPool? HostMemory => inner.HostMemory;

    public virtual void CopyToHost(Tensor from, Tensor to) => inner.CopyToHost(from, to);

    public virtual void CopyFromHost(Tensor from, Tensor to) => inner.CopyFromHost(from, to);

    public virtual void CompleteBackward() => inner.CompleteBackward();

    /// <summary>Does nothing: the inner backend belongs to whoever made it.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);
}
