using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>
/// Passes every operation on and writes down what it means at least: floating-point operations of the products (causal pairs only for attention),
/// and bytes with every operand moved once. Launches made meanwhile belong to the operation.
/// </summary>
internal sealed class RecordingBackend(IBackend inner) : IBackend
{
    private readonly List<Operation> _operations = [];
    private Operation? _current;

    public IReadOnlyList<Operation> Operations => _operations;

    public string Name => inner.Name;

    public DataType ActivationType => inner.ActivationType;

    public bool SharesHostMemory => inner.SharesHostMemory;

    public MemoryPool Memory => inner.Memory;

    /// <summary>Forgets what was recorded.</summary>
    public void Clear() => _operations.Clear();

    /// <summary>To be told of every launch.</summary>
    public void Add(Launch launch) => _current?.Launches.Add(launch);

    public MemoryPool? HostMemory => inner.HostMemory;

    public void Upload(ReadOnlySpan<byte> source, Tensor to) => inner.Upload(source, to);

    public void Download(Tensor from, Span<byte> to) => inner.Download(from, to);

    public void CopyToHost(Tensor from, Tensor to) => inner.CopyToHost(from, to);

    public void CopyFromHost(Tensor from, Tensor to) => inner.CopyFromHost(from, to);

    public void CompleteBackward() => inner.CompleteBackward();

    public void Fill(Tensor x, float value)
    {
        Begin("fill, copy", $"{x.Shape}", 0, x.Bytes);
        inner.Fill(x, value);
    }

    public void Copy(Tensor from, Tensor to)
    {
        Begin("fill, copy", $"{from.Shape}", 0, from.Bytes + to.Bytes);
        inner.Copy(from, to);
    }

    public void Add(Tensor a, Tensor b, Tensor y)
    {
        Begin("residual add", $"{y.Shape}", 0, a.Bytes + b.Bytes + y.Bytes);
        inner.Add(a, b, y);
    }

    public void AddScaled(Tensor x, float scale, Tensor y)
    {
        Begin("residual add", $"{y.Shape}", 0, x.Bytes + (2 * y.Bytes));
        inner.AddScaled(x, scale, y);
    }

    public void AddSum(Tensor x, Tensor total)
    {
        Begin("loss sum", $"{x.Shape}", 0, x.Bytes);
        inner.AddSum(x, total);
    }

    public void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control)
    {
        long bytes = 0;
        foreach (Tensor gradient in gradients)
        {
            bytes += gradient.Bytes;
        }

        Begin("gradient norm", $"{gradients.Length} tensors", 0, bytes);
        inner.GradientNorm(gradients, lossScale, maxNorm, control);
    }

    public void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        BeginProduct(weight.DataType == DataType.Nf4 ? "NF4 product forwards" : "product forwards", x, weight, y, accumulate, term);
        inner.MatMulTransposed(x, weight, y, scale, accumulate, term);
    }

    public void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        BeginProduct(weight.DataType == DataType.Nf4 ? "NF4 product backwards" : "product backwards", x, weight, y, accumulate, term);
        inner.MatMul(x, weight, y, scale, accumulate, term);
    }

    public void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        Begin(
            "weight gradient", $"{a.Shape}ᵀ {b.Shape}", 2.0 * a.Shape.Rows * y.Shape.Count,
            a.Bytes + b.Bytes + (accumulate ? 2 * y.Bytes : y.Bytes));
        inner.MatMulGradient(a, b, y, accumulate);
    }

    public void AddBias(Tensor y, Tensor bias)
    {
        Begin("bias", $"{y.Shape}", 0, (2 * y.Bytes) + bias.Bytes);
        inner.AddBias(y, bias);
    }

    public void SumRows(Tensor x, Tensor sums, bool accumulate)
    {
        Begin("bias", $"{x.Shape}", 0, x.Bytes + sums.Bytes);
        inner.SumRows(x, sums, accumulate);
    }

    public void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate)
    {
        Begin("dropout", $"{x.Shape}", 0, x.Bytes + (accumulate ? 2 * y.Bytes : y.Bytes));
        inner.Dropout(x, y, probability, seed, accumulate);
    }

    public void AddUniformNoise(Tensor x, float amplitude, ulong seed)
    {
        Begin("dropout", $"{x.Shape}", 0, 2 * x.Bytes);
        inner.AddUniformNoise(x, amplitude, seed);
    }

    public void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon)
    {
        Begin("RMSNorm", $"{x.Shape}", 0, x.Bytes + weight.Bytes + y.Bytes);
        inner.RmsNorm(x, weight, y, epsilon);
    }

    public void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight)
    {
        long written = ((dx?.Bytes ?? 0) * (accumulateX ? 2 : 1)) + (dWeight?.Bytes ?? 0);
        Begin("RMSNorm backwards", $"{x.Shape}", 0, x.Bytes + weight.Bytes + dy.Bytes + written);
        inner.RmsNormBackward(x, weight, dy, epsilon, dx, accumulateX, dWeight, accumulateWeight);
    }

    public void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse)
    {
        long angles = Math.Min(cosines.Bytes, (long)positions.Length * headSize / 2 * sizeof(float));
        Begin("rotary", $"{x.Shape}", 0, (2 * x.Bytes) + (2 * angles));
        inner.Rotate(x, cosines, sines, positions, headSize, inverse);
    }

    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        Begin("SwiGLU", $"{y.Shape}", 0, gate.Bytes + up.Bytes + y.Bytes);
        inner.SwiGlu(gate, up, y);
    }

    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        Begin("SwiGLU backwards", $"{dy.Shape}", 0, gate.Bytes + up.Bytes + dy.Bytes + dGate.Bytes + dUp.Bytes);
        inner.SwiGluBackward(gate, up, dy, dGate, dUp);
    }

    public void QuantizeNf4(Tensor source, Tensor codes)
    {
        Begin("quantising", $"{source.Shape}", 0, source.Bytes + codes.Bytes + (codes.Quantization?.AbsoluteMaxima.Bytes ?? 0));
        inner.QuantizeNf4(source, codes);
    }

    public void Gather(Tensor table, Tensor ids, Tensor y)
    {
        Begin("embedding", $"{y.Shape}", 0, (y.Bytes * table.Bytes / table.Shape.Count * y.Shape.Count / y.Bytes) + ids.Bytes + y.Bytes);
        inner.Gather(table, ids, y);
    }

    public void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable)
    {
        Begin("embedding", $"{dy.Shape}", 0, dy.Bytes + ids.Bytes + (2 * sizeof(float) * dy.Shape.Count));
        inner.ScatterAdd(dy, ids, dTable);
    }

    public void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        long keys = (long)(past + query.Shape.Rows) * key.Shape.Columns * (key.Bytes / Math.Max(1, key.Shape.Count));
        Begin(
            past > 0 ? "attention, decoding" : "attention forwards", $"{query.Shape.Rows} tokens, {shape.Heads}:{shape.KeyValueHeads} heads of {shape.HeadSize}",
            4 * VisiblePairs(starts, past) * shape.QueryWidth, query.Bytes + (2 * keys) + output.Bytes + (logSumExp?.Bytes ?? 0));
        inner.Attention(query, key, value, output, logSumExp, shape, starts, past);
    }

    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        // Seven products are computed; five of them are useful, which is how the literature counts.
        Begin(
            "attention backwards", $"{query.Shape.Rows} tokens, {shape.Heads}:{shape.KeyValueHeads} heads of {shape.HeadSize}",
            10 * VisiblePairs(starts, 0) * shape.QueryWidth,
            query.Bytes + key.Bytes + value.Bytes + output.Bytes + logSumExp.Bytes + dOutput.Bytes + dQuery.Bytes + dKey.Bytes + dValue.Bytes);
        inner.AttentionBackward(query, key, value, output, logSumExp, dOutput, dQuery, dKey, dValue, shape, starts);
    }

    public void CrossEntropy(Tensor logits, ReadOnlySpan<int> labels, Tensor losses, float gradientScale)
    {
        // A row of logits fits in no multiprocessor, so it is read twice at least.
        Begin("cross-entropy", $"{logits.Shape}", 0, (gradientScale == 0 ? 1 : 3) * logits.Bytes);
        inner.CrossEntropy(logits, labels, losses, gradientScale);
    }

    public void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms)
    {
        Begin("DoRA", $"{weight.Shape}", 2.0 * weight.Shape.Count * a.Shape[0], WeightBytes(weight) + a.Bytes + b.Bytes + norms.Bytes);
        inner.AdaptedRowNorms(weight, a, b, scale, norms);
    }

    public void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y)
    {
        Begin("DoRA", $"{x.Shape}", 0, x.Bytes + y.Bytes);
        inner.ScaleColumns(x, numerator, denominator, y);
    }

    public void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate)
    {
        Begin("DoRA", $"{x.Shape}", 0, x.Bytes + y.Bytes);
        inner.ColumnDots(x, y, denominator, result, accumulate);
    }

    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control)
    {
        Begin("AdamW", $"{parameter.Shape}", 0, (2 * parameter.Bytes) + gradient.Bytes + (2 * firstMoment.Bytes) + (2 * secondMoment.Bytes));
        inner.AdamW(parameter, gradient, firstMoment, secondMoment, step, control);
    }

    public void AdamW8Bit(
        Tensor parameter, Tensor gradient, Tensor firstCodes, Tensor firstMaxima, Tensor secondCodes, Tensor secondMaxima, in AdamWStep step, Tensor control)
    {
        long state = firstCodes.Bytes + firstMaxima.Bytes + secondCodes.Bytes + secondMaxima.Bytes;
        Begin("AdamW, 8 bits", $"{parameter.Shape}", 0, (2 * parameter.Bytes) + gradient.Bytes + (2 * state));
        inner.AdamW8Bit(parameter, gradient, firstCodes, firstMaxima, secondCodes, secondMaxima, step, control);
    }

    public void Dispose() => inner.Dispose();

    private static long WeightBytes(Tensor weight) => weight.Bytes + (weight.Quantization?.AbsoluteMaxima.Bytes ?? 0);

    private static double VisiblePairs(ReadOnlySpan<int> starts, int past)
    {
        double pairs = 0;
        for (int i = 1; i < starts.Length; i++)
        {
            double length = starts[i] - starts[i - 1];
            pairs += (length * (length + 1) / 2) + (length * past);
        }

        return pairs;
    }

    private void BeginProduct(string kind, Tensor x, Tensor weight, Tensor y, bool accumulate, LowRankTerm? term)
    {
        int rank = term?.Low.Shape.Columns ?? 0;
        long termBytes = term is { } second ? second.Low.Bytes + second.Factor.Bytes : 0;
        Begin(
            weight.DataType == DataType.Float32 ? "adapter product" : kind,
            $"{x.Shape} {weight.Shape}{(rank > 0 ? $" + r {rank}" : "")}",
            2.0 * y.Shape.Count * (x.Shape.Columns + rank),
            x.Bytes + WeightBytes(weight) + (accumulate ? 2 * y.Bytes : y.Bytes) + termBytes);
    }

    private void Begin(string kind, string shape, double flops, long bytes) => _operations.Add(_current = new Operation(kind, shape, flops, bytes));
}
