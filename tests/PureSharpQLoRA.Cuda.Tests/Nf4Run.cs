using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.PtxMachine;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests;

/// <summary>A product on an NF4 weight: what to multiply, on which card, in which types.</summary>
internal sealed record Nf4Run(int Card, DataType Activations, DataType Result, bool Forward, int Tokens, int Outputs, int Inputs)
{
    private const ushort Poison = 0xFFFF;

    public int Rank { get; init; }

    public float Scale { get; init; } = 1;

    public bool Accumulate { get; init; }

    /// <summary>Factor on all absolute maxima, which lie in [0.02, 0.1) times it.</summary>
    public float Amplitude { get; init; } = 1;

    /// <summary>Runs it on the PTX machine.</summary>
    public Nf4Outcome Execute()
    {
        using var log = new LaunchLog(Card, Activations);
        var random = new Random(HashCode.Combine(Tokens, Outputs, Inputs, Rank));
        int inner = Forward ? Inputs : Outputs, outer = Forward ? Outputs : Inputs;
        var codes = new byte[Nf4Format.CodeBytes((long)Outputs * Inputs)];
        random.NextBytes(codes);
        float[] maxima = [.. Enumerable.Range(0, Outputs * Inputs / 64).Select(_ => Amplitude * (0.02f + (0.08f * random.NextSingle())))];
        Tensor weight = log.Scope.Allocate(new Shape(Outputs, Inputs), DataType.Nf4);
        log.Backend.Upload(codes, weight);
        weight.AttachStatistics(new Nf4Statistics(log.Upload(new Shape(maxima.Length), maxima)));

        (Guarded x, double[] xs) = Values(log, random, Tokens, inner, Activations, 1);
        (Guarded y, double[] before) = Values(log, random, Tokens, outer, Result, Accumulate ? 1 : double.NaN);
        LowRankTerm? term = null;
        double[] lows = [], factors = [];
        if (Rank > 0)
        {
            (Guarded low, lows) = Values(log, random, Tokens, Rank, Activations, 1);
            (Guarded factor, factors) = Forward ? Values(log, random, Outputs, Rank, DataType.Float32, 0.1) : Values(log, random, Rank, Inputs, DataType.Float32, 0.1);
            term = new LowRankTerm(low.Inner, factor.Inner);
        }

        if (Forward)
        {
            log.Backend.MatMulTransposed(x.Inner, weight, y.Inner, Scale, Accumulate, term);
        }
        else
        {
            log.Backend.MatMul(x.Inner, weight, y.Inner, Scale, Accumulate, term);
        }

        LaunchReport report = log.Launches[^1].Report;
        double[] actual = ReadGuarded(log, y);
        double[] Expected(double[] weights, double[] secondFactors)
        {
            double[] sums = Multiply(xs, weights, inner), seconds = Rank > 0 ? Multiply(lows, secondFactors, Rank) : new double[sums.Length];
            return [.. sums.Select((sum, i) => (Scale * sum) + seconds[i] + (Accumulate ? before[i] : 0))];
        }

        double[] exact = ReferenceNf4.Decode(codes, maxima, Outputs * Inputs), rounded = Rounded(codes, maxima);
        double[] narrow = [.. factors.Select(value => Round((float)value, Activations))];
        return new Nf4Outcome(log.Launches[^1].Key.Name, report, actual, Expected(exact, factors), Expected(rounded, narrow))
        {
            Typical = Tokens * outer < 16 ? Scale * Norm(xs) * Norm(exact) / Math.Sqrt(inner) : 0,
            FewestReadBytes = (2L * xs.Length) + codes.Length + (2L * maxima.Length) + (2L * (lows.Length + factors.Length)),
            FewestWriteBytes = y.Inner.Bytes,
            Launches = [.. log.Launches.Select(launch => launch.Key.Method)],
        };
    }

    /// <summary>The weights that the kernels mean to multiply with: level, scale and their product in fp16, and that in the activations' type.</summary>
    public double[] Rounded(byte[] codes, float[] maxima)
    {
        int exponent = 14 - Math.ILogB(maxima.Max());
        var values = new double[2 * codes.Length];
        for (int i = 0; i < values.Length; i++)
        {
            int code = i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15;
            float scale = (float)(Half)MathF.ScaleB(maxima[i / 64], exponent);
            float product = (float)(Half)((float)(Half)Nf4Format.Levels[code] * scale);
            values[i] = Math.ScaleB(Round(product, Activations), -exponent);
        }

        return values;
    }

    private static double Round(float value, DataType type) => type == DataType.BFloat16
        ? ReferenceHalves.FromBFloat16(ReferenceHalves.ToBFloat16(value))
        : ReferenceHalves.FromFloat16(ReferenceHalves.ToFloat16(value));

    private static double Norm(double[] values) => Math.Sqrt(values.Sum(value => value * value));

    private double[] Multiply(double[] left, double[] right, int reduction)
    {
        int outer = Forward ? Outputs : Inputs;
        return Forward ? ReferenceProducts.MatMulTransposed(left, right, Tokens, reduction, outer) : ReferenceProducts.MatMul(left, right, Tokens, reduction, outer);
    }

    /// <summary>A tensor of random values between rows of poison; poison itself where the amplitude is NaN.</summary>
    private static (Guarded Tensor, double[] Values) Values(LaunchLog log, Random random, int rows, int columns, DataType type, double amplitude)
    {
        int words = type == DataType.Float32 ? 2 : 1, around = Guarded.Rows * columns;
        var bits = new ushort[(rows + (2 * Guarded.Rows)) * columns * words];
        Array.Fill(bits, Poison);
        var values = new double[rows * columns];
        for (int i = 0; i < values.Length && !double.IsNaN(amplitude); i++)
        {
            float value = (float)(amplitude * ((2 * random.NextDouble()) - 1));
            values[i] = type == DataType.Float32 ? value : Round(value, type);
            Span<ushort> at = bits.AsSpan((around + i) * words, words);
            if (type == DataType.Float32)
            {
                MemoryMarshal.Write(MemoryMarshal.AsBytes(at), in value);
            }
            else
            {
                at[0] = type == DataType.BFloat16 ? ReferenceHalves.ToBFloat16(value) : ReferenceHalves.ToFloat16(value);
            }
        }

        Tensor whole = log.Scope.Allocate(new Shape(rows + (2 * Guarded.Rows), columns), type);
        log.Backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), whole);
        return (new Guarded(whole, log.Scope.Rows(whole, Guarded.Rows, rows)), values);
    }

    private static double[] ReadGuarded(LaunchLog log, Guarded tensor)
    {
        int words = tensor.Inner.DataType == DataType.Float32 ? 2 : 1, around = Guarded.Rows * tensor.Inner.Shape.Columns * words;
        var bits = new ushort[tensor.Whole.Bytes / 2];
        log.Backend.Download(tensor.Whole, MemoryMarshal.AsBytes(bits.AsSpan()));
        Assert.DoesNotContain(bits[..around], value => value != Poison);
        Assert.DoesNotContain(bits[^around..], value => value != Poison);
        ushort[] inside = bits[around..^around];
        return tensor.Inner.DataType switch
        {
            DataType.Float32 => [.. MemoryMarshal.Cast<ushort, float>(inside).ToArray().Select(value => (double)value)],
            DataType.BFloat16 => [.. inside.Select(value => (double)ReferenceHalves.FromBFloat16(value))],
            _ => [.. inside.Select(value => (double)ReferenceHalves.FromFloat16(value))],
        };
    }

    /// <summary>A tensor in the middle of another.</summary>
    private sealed record Guarded(Tensor Whole, Tensor Inner)
    {
        public const int Rows = 8;
    }
}

/// <summary>What a product gave.</summary>
/// <param name="Kernel">What was launched last.</param>
/// <param name="Report">What it did.</param>
/// <param name="Actual">Its result.</param>
/// <param name="Exact">With the weights that codes and absolute maxima stand for.</param>
/// <param name="Rounded">With the weights that the kernel means to multiply with.</param>
internal sealed record Nf4Outcome(string Kernel, LaunchReport Report, double[] Actual, double[] Exact, double[] Rounded)
{
    /// <summary>The norm that a small result has on average, since one dot product may cancel.</summary>
    public double Typical { get; init; }

    public long FewestReadBytes { get; init; }

    public long FewestWriteBytes { get; init; }

    public string[] Launches { get; init; } = [];

    /// <summary>Relative Frobenius errors against both.</summary>
    public double ExactError => Error(Exact);

    public double RoundedError => Error(Rounded);

    private double Error(double[] expected)
    {
        double error = expected.Zip(Actual, (e, a) => (a - e) * (a - e)).Sum(), norm = expected.Sum(value => value * value);
        return error == 0 ? 0 : Math.Sqrt(error) / Math.Max(Math.Sqrt(norm), Typical);
    }
}
