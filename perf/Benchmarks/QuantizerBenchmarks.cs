using BenchmarkDotNet.Attributes;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Benchmarks;

/// <summary>NF4 on one thread: what loading a model costs beside reading it.</summary>
[MemoryDiagnoser]
public class QuantizerBenchmarks
{
    private const int Weights = 1 << 20;

    private readonly float[] _values = new float[Weights];
    private readonly byte[] _codes = new byte[Weights / 2];
    private readonly float[] _maxima = new float[Weights / Nf4Format.BlockSize];
    private readonly byte[] _maximumCodes = new byte[Weights / Nf4Format.BlockSize];
    private readonly float[] _nested = new float[Weights / Nf4Format.BlockSize / Nf4Format.NestedBlockSize];

    [GlobalSetup]
    public void Prepare()
    {
        for (int i = 0; i < _values.Length; i++)
        {
            _values[i] = 0.02f * Philox.Normal(1, (ulong)i);
        }

        Quantize();
    }

    [Benchmark]
    public void Quantize() => Nf4Quantizer.Quantize(_values, _codes, _maxima);

    [Benchmark]
    public void Dequantize() => Nf4Quantizer.Dequantize(_codes, _maxima, _values);

    [Benchmark]
    public float DoubleQuantize() => DoubleQuantizer.Quantize(_maxima, _maximumCodes, _nested);
}
