using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>What products on NF4 weights make once and keep: scales, and narrow copies of adapters.</summary>
public sealed class Nf4PreparationTests
{
    private const int Outputs = 40, Inputs = 128, Tokens = 3;

    [Fact]
    public void Prepared_scales_take_the_place_of_the_maxima_and_half_their_memory()
    {
        using var log = new LaunchLog(75, DataType.Float16);
        using var weights = new TensorScope(log.Backend.Memory, MemoryPurpose.Weights);
        const int Rows = 512, Columns = 1024;
        Tensor weight = Weight(log, weights, Rows, Columns, out _, out _);
        long codes = Rows * Columns / 2, blocks = Rows * Columns / 64;
        Assert.Equal(codes + (4 * blocks), log.Backend.Memory.BytesFor(MemoryPurpose.Weights));

        Tensor x = Halves(log, 1, Columns), y = log.Scope.Allocate(new Shape(1, Rows), DataType.Float16);
        log.Backend.MatMulTransposed(x, weight, y);

        // The exponents take 32 bytes, and the pool counts in 256.
        Assert.Equal(codes + (2 * blocks) + 256, log.Backend.Memory.BytesFor(MemoryPurpose.Weights));
        Assert.Equal(["Exponent", "Prepare", "Run"], log.Launches.Select(launch => launch.Key.Method));
        log.Backend.MatMulTransposed(x, weight, y);
        Assert.Equal(4, log.Launches.Count);
    }

    /// <summary>Gradients of logits are fp32, and DoRA needs the norms of a weight's rows.</summary>
    [Fact]
    public void Operations_for_any_weight_read_prepared_scales()
    {
        using var log = new LaunchLog(75, DataType.Float16);
        Tensor weight = Weight(log, log.Scope, Outputs, Inputs, out byte[] codes, out float[] maxima);
        double[] values = ReferenceNf4.Decode(codes, maxima, Outputs * Inputs);
        Tensor x = Halves(log, Tokens, Inputs), y = log.Scope.Allocate(new Shape(Tokens, Outputs), DataType.Float16);
        log.Backend.MatMulTransposed(x, weight, y);

        float[] gradient = [.. Enumerable.Range(0, Tokens * Outputs).Select(i => MathF.Sin(i))];
        Tensor dx = log.Scope.Allocate(new Shape(Tokens, Inputs));
        log.Backend.MatMul(log.Upload(new Shape(Tokens, Outputs), gradient), weight, dx);
        double[] exact = ReferenceProducts.MatMul([.. gradient.Select(value => (double)value)], values, Tokens, Outputs, Inputs);
        Accuracy.AssertClose(exact, [.. log.Backend.ToArray(dx).Select(value => (double)value)], 3e-4, $"gradient of the input");

        Tensor a = log.Upload(new Shape(4, Inputs), new float[4 * Inputs]), b = log.Upload(new Shape(Outputs, 4), new float[4 * Outputs]);
        Tensor norms = log.Scope.Allocate(new Shape(Outputs));
        log.Backend.AdaptedRowNorms(weight, a, b, 1, norms);
        double[] exactNorms = [.. values.Chunk(Inputs).Select(row => Math.Sqrt(row.Sum(value => value * value)))];
        Accuracy.AssertClose(exactNorms, [.. log.Backend.ToArray(norms).Select(value => (double)value)], 3e-4, $"norms");
    }

    [Fact]
    public void A_factor_is_copied_again_when_it_was_written()
    {
        using var log = new LaunchLog(80, DataType.BFloat16);
        Tensor weight = Weight(log, log.Scope, Outputs, Inputs, out _, out _);
        Tensor x = log.Scope.Allocate(new Shape(Tokens, Inputs), DataType.BFloat16), y = log.Scope.Allocate(new Shape(Tokens, Outputs));
        log.Backend.Upload(new byte[x.Bytes], x);
        Tensor low = log.Scope.Allocate(new Shape(Tokens, 8), DataType.BFloat16);
        log.Backend.Upload(MemoryMarshal.AsBytes(Enumerable.Repeat(ReferenceHalves.ToBFloat16(1), 8 * Tokens).ToArray().AsSpan()), low);
        Tensor factor = log.Upload(new Shape(Outputs, 8), [.. Enumerable.Repeat(0.25f, 8 * Outputs)]);
        var term = new LowRankTerm(low, factor);

        log.Backend.MatMulTransposed(x, weight, y, term: term);
        log.Backend.MatMulTransposed(x, weight, y, term: term);
        Assert.Equal(["Pad", "Exponent", "Prepare", "Run", "Run"], log.Launches.Select(launch => launch.Key.Method));
        Assert.All(log.Backend.ToArray(y), value => Assert.Equal(2, value));

        log.Backend.Fill(factor, 0.125f);
        log.Backend.MatMulTransposed(x, weight, y, term: term);
        Assert.All(log.Backend.ToArray(y), value => Assert.Equal(1, value));
    }

    /// <summary>A weight of zeros must leave the second term finite.</summary>
    [Fact]
    public void A_weight_of_zeros_gives_zeros()
    {
        using var log = new LaunchLog(75, DataType.Float16);
        Tensor weight = log.Scope.Allocate(new Shape(Outputs, Inputs), DataType.Nf4);
        log.Backend.Upload(new byte[weight.Bytes], weight);
        weight.AttachStatistics(new Nf4Statistics(log.Upload(new Shape(Outputs * Inputs / 64), new float[Outputs * Inputs / 64])));
        Tensor x = Halves(log, Tokens, Inputs), y = log.Scope.Allocate(new Shape(Tokens, Outputs)), low = Halves(log, Tokens, 8);
        Tensor factor = log.Upload(new Shape(Outputs, 8), [.. Enumerable.Repeat(1f, 8 * Outputs)]);

        log.Backend.MatMulTransposed(x, weight, y);
        Assert.All(log.Backend.ToArray(y), value => Assert.Equal(0, value));
        log.Backend.MatMulTransposed(x, weight, y, term: new LowRankTerm(low, factor));
        Assert.All(log.Backend.ToArray(y), value => Assert.True(float.IsFinite(value) && value != 0));
    }

    /// <summary>Eight fp32 elements of a thread are a sector, asked for in two halves one after the other, which the first cache joins.</summary>
    [Theory]
    [InlineData(75, DataType.Float16, 1.15, 0.9)]
    [InlineData(75, DataType.BFloat16, 1.15, 0.9)]
    [InlineData(80, DataType.Float32, 1.95, 0.5)]
    public void Quantizing_reads_a_weight_once(int architecture, DataType type, double factor, double sectorUse)
    {
        using var log = new LaunchLog(architecture);
        const int Count = 64 * 256;
        Tensor source = log.Scope.Allocate(new Shape(64, 256), type), codes = log.Scope.Allocate(new Shape(64, 256), DataType.Nf4);
        log.Backend.Upload(new byte[source.Bytes], source);
        codes.AttachStatistics(new Nf4Statistics(log.Scope.Allocate(new Shape(Count / 64))));

        log.Backend.QuantizeNf4(source, codes);

        log.AssertTraffic("Blocks", source.Bytes + codes.Bytes + (4 * Count / 64), factor, sectorUse);
    }

    private static Tensor Weight(LaunchLog log, TensorScope scope, int rows, int columns, out byte[] codes, out float[] maxima)
    {
        var random = new Random(rows);
        codes = new byte[rows * columns / 2];
        random.NextBytes(codes);
        maxima = [.. Enumerable.Range(0, rows * columns / 64).Select(_ => 0.1f + random.NextSingle())];
        Tensor weight = scope.Allocate(new Shape(rows, columns), DataType.Nf4), statistics = scope.Allocate(new Shape(maxima.Length));
        log.Backend.Upload(codes, weight);
        log.Backend.Upload(maxima, statistics);
        weight.AttachStatistics(new Nf4Statistics(statistics));
        return weight;
    }

    private static Tensor Halves(LaunchLog log, int rows, int columns)
    {
        Tensor tensor = log.Scope.Allocate(new Shape(rows, columns), DataType.Float16);
        ushort[] bits = [.. Enumerable.Range(0, rows * columns).Select(i => ReferenceHalves.ToFloat16(MathF.Cos(i)))];
        log.Backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), tensor);
        return tensor;
    }
}
