using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;

namespace PureSharpQLoRA.Testing;

/// <summary>
/// The CPU backend with activations stored in fp16 or bf16: every operation widens them, computes in fp32, and rounds its results once. What a
/// device with such activations does, slowly, so that the engine, the trainer and the conformance suite are tested with them anywhere.
/// </summary>
public class HalfStorageBackend : DelegatingBackend
{
    private readonly CpuBackend _inner;
    private readonly TensorScope _scope;
    private readonly List<(Tensor Wide, Tensor Narrow)> _results = [];

    /// <param name="activations">fp16 or bf16.</param>
    public HalfStorageBackend(DataType activations)
        : this(new CpuBackend(new CpuOptions { Threads = 2 }), activations)
    {
    }

    private HalfStorageBackend(CpuBackend inner, DataType activations)
        : base(inner)
    {
        _inner = inner;
        _scope = new TensorScope(inner.Memory, MemoryPurpose.Workspace);
        ActivationType = activations;
    }

    public override DataType ActivationType { get; }

    public override void Fill(Tensor x, float value)
    {
        base.Fill(Result(x), value);
        Finish();
    }

    public override void Add(Tensor a, Tensor b, Tensor y)
    {
        base.Add(Operand(a), Operand(b), Result(y));
        Finish();
    }

    public override void AddScaled(Tensor x, float scale, Tensor y)
    {
        base.AddScaled(Operand(x), scale, Result(y));
        Finish();
    }

    public override void MatMulTransposed(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        base.MatMulTransposed(Operand(x), weight, Result(y), scale, accumulate, Wide(term));
        Finish();
    }

    public override void MatMul(Tensor x, Tensor weight, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        base.MatMul(Operand(x), weight, Result(y), scale, accumulate, Wide(term));
        Finish();
    }

    public override void MatMulGradient(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        base.MatMulGradient(Operand(a), Operand(b), y, accumulate);
        Finish();
    }

    public override void AddBias(Tensor y, Tensor bias)
    {
        base.AddBias(Result(y), bias);
        Finish();
    }

    public override void SumRows(Tensor x, Tensor sums, bool accumulate)
    {
        base.SumRows(Operand(x), sums, accumulate);
        Finish();
    }

    public override void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate)
    {
        base.Dropout(Operand(x), Result(y), probability, seed, accumulate);
        Finish();
    }

    public override void AddUniformNoise(Tensor x, float amplitude, ulong seed)
    {
        base.AddUniformNoise(Result(x), amplitude, seed);
        Finish();
    }

    public override void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon)
    {
        base.RmsNorm(Operand(x), weight, Result(y), epsilon);
        Finish();
    }

    public override void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight)
    {
        base.RmsNormBackward(Operand(x), weight, Operand(dy), epsilon, dx is null ? null : Result(dx), accumulateX, dWeight, accumulateWeight);
        Finish();
    }

    public override void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse)
    {
        base.Rotate(Result(x), cosines, sines, positions, headSize, inverse);
        Finish();
    }

    public override void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        base.SwiGlu(Operand(gate), Operand(up), Result(y));
        Finish();
    }

    public override void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        base.SwiGluBackward(Operand(gate), Operand(up), Operand(dy), Result(dGate), Result(dUp));
        Finish();
    }

    public override void Gather(Tensor table, Tensor ids, Tensor y)
    {
        base.Gather(table, ids, Result(y));
        Finish();
    }

    public override void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable)
    {
        base.ScatterAdd(Operand(dy), ids, dTable);
        Finish();
    }

    public override void Attention(Tensor query, Tensor key, Tensor value, Tensor output, Tensor? logSumExp, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        base.Attention(Operand(query), Operand(key), Operand(value), Result(output), logSumExp, shape, starts, past);
        Finish();
    }

    public override void AttentionBackward(Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor dOutput, Tensor dQuery, Tensor dKey, Tensor dValue, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        base.AttentionBackward(
            Operand(query), Operand(key), Operand(value), Operand(output), logSumExp, Operand(dOutput), Result(dQuery), Result(dKey), Result(dValue), shape, starts);
        Finish();
    }

    public override void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y)
    {
        base.ScaleColumns(Operand(x), numerator, denominator, Result(y));
        Finish();
    }

    public override void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate)
    {
        base.ColumnDots(Operand(x), Operand(y), denominator, result, accumulate);
        Finish();
    }

    /// <summary>Disposes the inner backend too, which is this one's own.</summary>
    public override void Dispose()
    {
        _scope.Dispose();
        _inner.Dispose();
        base.Dispose();
        GC.SuppressFinalize(this);
    }

    private static bool IsNarrow(Tensor tensor) => tensor.DataType is DataType.Float16 or DataType.BFloat16;

    private LowRankTerm? Wide(LowRankTerm? term) => term is { } second ? second with { Low = Operand(second.Low) } : null;

    /// <summary>An operand in fp32.</summary>
    private Tensor Operand(Tensor tensor)
    {
        if (!IsNarrow(tensor))
        {
            return tensor;
        }

        CheckType(tensor);
        Tensor wide = _scope.Allocate(tensor.Shape);
        _inner.Copy(tensor, wide);
        return wide;
    }

    /// <summary>A place for a result, with what is there already.</summary>
    private Tensor Result(Tensor tensor)
    {
        Tensor wide = Operand(tensor);
        if (IsNarrow(tensor))
        {
            _results.Add((wide, tensor));
        }

        return wide;
    }

    /// <summary>Rounds the results into their places.</summary>
    private void Finish()
    {
        foreach ((Tensor wide, Tensor narrow) in _results)
        {
            _inner.Copy(wide, narrow);
        }

        _results.Clear();
        _scope.Reset();
    }

    private void CheckType(Tensor tensor) => ShapeException.ThrowIfNot(tensor, ActivationType, "an operation", "an activation");
}
