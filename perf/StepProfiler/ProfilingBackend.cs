using System.Diagnostics;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda;

namespace PureSharpQLoRA.StepProfiler;

/// <summary>Time and arithmetic of one kind of operation.</summary>
internal sealed class OperationTotal
{
    public long Calls { get; set; }

    public double Seconds { get; set; }

    public double Flops { get; set; }
}

/// <summary>Wraps a backend and measures every operation; the engine doesn't know.</summary>
internal sealed class ProfilingBackend(IBackend inner) : IBackend
{
    /// <summary>The widest adapter that counts as one.</summary>
    private const int LargestRank = 256;

    private readonly Dictionary<string, OperationTotal> _totals = new(StringComparer.Ordinal);

    /// <summary>The backend that computes.</summary>
    public IBackend Inner => inner;

    /// <summary>Whether each operation is waited for and timed; without it, nothing is measured.</summary>
    public bool IsTiming { get; set; } = true;

    public IReadOnlyDictionary<string, OperationTotal> Totals => _totals;

    public string Name => inner.Name;

    public DataType ActivationType => inner.ActivationType;

    public bool SharesHostMemory => inner.SharesHostMemory;

    public MemoryPool Memory => inner.Memory;

    public void Clear() => _totals.Clear();

    public void Upload(ReadOnlySpan<byte> source, Tensor to)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Upload(source, to);
        Count("upload, download", start, 0);
    }

    public void Download(Tensor from, Span<byte> to)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Download(from, to);
        Count("upload, download", start, 0);
    }

    public void CompleteBackward() => inner.CompleteBackward();

    public MemoryPool? HostMemory => inner.HostMemory;

    public void CopyToHost(Tensor from, Tensor to)
    {
        long start = Stopwatch.GetTimestamp();
        inner.CopyToHost(from, to);
        Count("upload, download", start, 0);
    }

    public void CopyFromHost(Tensor from, Tensor to)
    {
        long start = Stopwatch.GetTimestamp();
        inner.CopyFromHost(from, to);
        Count("upload, download", start, 0);
    }

    public void Fill(Tensor x, float value)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Fill(x, value);
        Count("copy, fill, add", start, 0);
    }

    public void Copy(Tensor from, Tensor to)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Copy(from, to);
        Count("copy, fill, add", start, 0);
    }

    public void Add(Tensor a, Tensor b, Tensor y)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Add(a, b, y);
        Count("copy, fill, add", start, a.Shape.Count);
    }

    public void AddScaled(Tensor x, float scale, Tensor y)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AddScaled(x, scale, y);
        Count("copy, fill, add", start, 2 * x.Shape.Count);
    }

    public void AddSum(Tensor x, Tensor total)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AddSum(x, total);
        Count("loss and norm sums", start, x.Shape.Count);
    }

    public void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control)
    {
        long start = Stopwatch.GetTimestamp();
        inner.GradientNorm(gradients, lossScale, maxNorm, control);
        long elements = 0;
        foreach (Tensor gradient in gradients)
        {
            elements += gradient.Shape.Count;
        }

        Count("loss and norm sums", start, 2 * elements);
    }

    public void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        long start = Stopwatch.GetTimestamp();
        inner.MatMulTransposed(x, weight, y, scale, accumulate, term);
        Count(Kind(forward: true, weight), start, ProductFlops(x, y, term));
    }

    public void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        long start = Stopwatch.GetTimestamp();
        inner.MatMul(x, weight, y, scale, accumulate, term);
        Count(Kind(forward: false, weight), start, ProductFlops(x, y, term));
    }

    public void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        long start = Stopwatch.GetTimestamp();
        inner.MatMulGradient(a, b, y, accumulate);
        Count("weight gradients", start, 2.0 * a.Shape.Rows * y.Shape.Count);
    }

    public void AddBias(Tensor y, Tensor bias)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AddBias(y, bias);
        Count("copy, fill, add", start, y.Shape.Count);
    }

    public void SumRows(Tensor x, Tensor sums, bool accumulate)
    {
        long start = Stopwatch.GetTimestamp();
        inner.SumRows(x, sums, accumulate);
        Count("weight gradients", start, x.Shape.Count);
    }

    public void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Dropout(x, y, probability, seed, accumulate);
        Count("dropout, noise", start, x.Shape.Count);
    }

    public void AddUniformNoise(Tensor x, float amplitude, ulong seed)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AddUniformNoise(x, amplitude, seed);
        Count("dropout, noise", start, x.Shape.Count);
    }

    public void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon)
    {
        long start = Stopwatch.GetTimestamp();
        inner.RmsNorm(x, weight, y, epsilon);
        Count("norms", start, 4 * x.Shape.Count);
    }

    public void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight)
    {
        long start = Stopwatch.GetTimestamp();
        inner.RmsNormBackward(x, weight, dy, epsilon, dx, accumulateX, dWeight, accumulateWeight);
        Count("norms", start, 9 * x.Shape.Count);
    }

    public void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Rotate(x, cosines, sines, positions, headSize, inverse);
        Count("rotary", start, 3 * x.Shape.Count);
    }

    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        long start = Stopwatch.GetTimestamp();
        inner.SwiGlu(gate, up, y);
        Count("swiglu", start, 20 * gate.Shape.Count);
    }

    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        long start = Stopwatch.GetTimestamp();
        inner.SwiGluBackward(gate, up, dy, dGate, dUp);
        Count("swiglu", start, 26 * gate.Shape.Count);
    }

    public void QuantizeNf4(Tensor source, Tensor codes)
    {
        long start = Stopwatch.GetTimestamp();
        inner.QuantizeNf4(source, codes);
        Count("quantising", start, source.Shape.Count);
    }

    public void Gather(Tensor table, Tensor ids, Tensor y)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Gather(table, ids, y);
        Count("embedding", start, 0);
    }

    public void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable)
    {
        long start = Stopwatch.GetTimestamp();
        inner.ScatterAdd(dy, ids, dTable);
        Count("embedding", start, dy.Shape.Count);
    }

    public void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        long start = Stopwatch.GetTimestamp();
        inner.Attention(query, key, value, output, logSumExp, shape, starts, past);
        Count("attention forward", start, 4 * VisiblePairs(starts, past) * shape.QueryWidth);
    }

    public void AttentionBackward(
        Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput,
        Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AttentionBackward(query, key, value, output, logSumExp, dOutput, dQuery, dKey, dValue, shape, starts);
        Count("attention backward", start, 10 * VisiblePairs(starts, 0) * shape.QueryWidth);
    }

    public void CrossEntropy(Tensor logits, ReadOnlySpan<int> labels, Tensor losses, float gradientScale)
    {
        long start = Stopwatch.GetTimestamp();
        inner.CrossEntropy(logits, labels, losses, gradientScale);
        Count("cross-entropy", start, 18 * logits.Shape.Count);
    }

    public void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AdaptedRowNorms(weight, a, b, scale, norms);
        Count("dora", start, 2.0 * weight.Shape.Count * a.Shape[0]);
    }

    public void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y)
    {
        long start = Stopwatch.GetTimestamp();
        inner.ScaleColumns(x, numerator, denominator, y);
        Count("dora", start, x.Shape.Count);
    }

    public void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate)
    {
        long start = Stopwatch.GetTimestamp();
        inner.ColumnDots(x, y, denominator, result, accumulate);
        Count("dora", start, 2 * x.Shape.Count);
    }

    public void AdamW8Bit(
        Tensor parameter, Tensor gradient, Tensor firstCodes, Tensor firstMaxima, Tensor secondCodes, Tensor secondMaxima, in AdamWStep step, Tensor control)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AdamW8Bit(parameter, gradient, firstCodes, firstMaxima, secondCodes, secondMaxima, step, control);
        Count("adamw", start, 14 * parameter.Shape.Count);
    }

    public void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control)
    {
        long start = Stopwatch.GetTimestamp();
        inner.AdamW(parameter, gradient, firstMoment, secondMoment, step, control);
        Count("adamw", start, 14 * parameter.Shape.Count);
    }

    public void Dispose() => inner.Dispose();

    private static string Kind(bool forward, Tensor weight) => weight.DataType == DataType.Nf4
        ? forward ? "nf4 products forward" : "nf4 products backward"
        : Math.Min(weight.Shape[0], weight.Shape[1]) <= LargestRank && weight.DataType == DataType.Float32
            ? "adapter products"
            : forward ? "dense products forward" : "dense products backward";

    private static double ProductFlops(Tensor x, Tensor y, LowRankTerm? term) =>
        2.0 * y.Shape.Count * (x.Shape.Columns + (term is { } second ? second.Low.Shape.Columns : 0));

    /// <summary>Pairs of a query and a key it sees.</summary>
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

    private void Count(string operation, long start, double flops)
    {
        if (!IsTiming)
        {
            return;
        }

        (inner as IlgpuBackend)?.Synchronize();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        if (!_totals.TryGetValue(operation, out OperationTotal? total))
        {
            _totals.Add(operation, total = new OperationTotal());
        }

        total.Calls++;
        total.Seconds += seconds;
        total.Flops += flops;
    }
}
