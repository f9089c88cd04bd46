using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.PtxMachine;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests.Attention;

/// <summary>Runs attention on the PTX machine against the reference in double, for one element type. Results begin as NaN.</summary>
public sealed class AttentionMachine : IDisposable
{
    private const double SumBound = 1e-4;

    private readonly DataType _type;
    private readonly IlgpuBackend _backend;
    private readonly List<(string Kernel, LaunchReport Report)> _launches = [];
    private readonly TensorScope _scope;
    private readonly Random _random = new(7);
    private readonly double _bound;

    /// <summary>A machine that stands for a card.</summary>
    public AttentionMachine(int architecture, DataType type, int hostThreads = 1)
    {
        _type = type;
        _bound = type switch { DataType.Float32 => 5e-6, DataType.Float16 => 2e-3, _ => 1.5e-2 };
        var device = new PtxMachineDevice(architecture, new MachineOptions { HostThreads = hostThreads })
        {
            Launched = (kernel, _, report) => _launches.Add((kernel.Key.Name, report)),
        };
        _backend = new IlgpuBackend(device, new CudaOptions { ActivationType = type });
        _scope = new TensorScope(_backend.Memory, MemoryPurpose.Activations);
    }

    /// <summary>The launches of the last call.</summary>
    public IReadOnlyList<(string Kernel, LaunchReport Report)> Launches => _launches;

    /// <summary>Runs the forward pass and returns the bits of its results.</summary>
    public byte[] Forward(AttentionCase sizes, bool withSums = true)
    {
        Operand query = Random(sizes.Tokens, sizes.Shape.QueryWidth, sizes.Amplitude);
        Operand key = Random(sizes.Past + sizes.Tokens, sizes.Shape.KeyWidth, sizes.Amplitude, spare: sizes.Past > 0 ? 5 : 0);
        Operand value = Random(sizes.Past + sizes.Tokens, sizes.Shape.KeyWidth, 1, spare: sizes.Past > 0 ? 5 : 0);
        Tensor output = Poisoned(query.Tensor.Shape, _type), sums = Poisoned(new Shape(sizes.Heads, sizes.Tokens), DataType.Float32);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, sizes.Shape, sizes.Starts, sizes.Past);
        _launches.Clear();
        _backend.Attention(query.Tensor, key.Tensor, value.Tensor, output, withSums ? sums : null, sizes.Shape, sizes.Starts, sizes.Past);
        Accuracy.AssertClose(exact, Read(output), _bound, $"the result, {sizes}");
        if (withSums)
        {
            double[] actual = Read(sums);
            Assert.All(
                total.Zip(actual),
                pair => Assert.True(Math.Abs(pair.First - pair.Second) <= SumBound, $"log-sum-exp {pair.Second} for {pair.First}, {sizes}"));
        }

        return Finish(output);
    }

    /// <summary>Runs the backward pass on the reference's results and returns the bits of the gradients.</summary>
    public byte[] Backward(AttentionCase sizes)
    {
        Operand query = Random(sizes.Tokens, sizes.Shape.QueryWidth, sizes.Amplitude), key = Random(sizes.Tokens, sizes.Shape.KeyWidth, sizes.Amplitude);
        Operand value = Random(sizes.Tokens, sizes.Shape.KeyWidth, 1), dOutput = Random(sizes.Tokens, sizes.Shape.QueryWidth, 1);
        (double[] exact, double[] total) = ReferenceAttention.Forward(query.Values, key.Values, value.Values, sizes.Shape, sizes.Starts);
        Operand output = Upload(new Shape(sizes.Tokens, sizes.Shape.QueryWidth), exact, _type, 0);
        Operand sums = Upload(new Shape(sizes.Heads, sizes.Tokens), total, DataType.Float32, 0);
        Tensor dQuery = Poisoned(query.Tensor.Shape, _type), dKey = Poisoned(key.Tensor.Shape, _type), dValue = Poisoned(key.Tensor.Shape, _type);
        _launches.Clear();
        _backend.AttentionBackward(
            query.Tensor, key.Tensor, value.Tensor, output.Tensor, sums.Tensor, dOutput.Tensor, dQuery, dKey, dValue, sizes.Shape, sizes.Starts);
        (double[] forQuery, double[] forKey, double[] forValue) =
            ReferenceAttention.Backward(query.Values, key.Values, value.Values, dOutput.Values, sizes.Shape, sizes.Starts);
        AssertGradient(forQuery, dQuery, "queries", sizes);
        AssertGradient(forKey, dKey, "keys", sizes);
        AssertGradient(forValue, dValue, "values", sizes);
        return Finish(dQuery, dKey, dValue);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _scope.Dispose();
        LeakCheck.DisposeAndAssert(_backend);
    }

    /// <summary>With one key a query's weight is constant, and the gradients of queries and keys are zero but for the rounding of the result.</summary>
    private void AssertGradient(double[] expected, Tensor tensor, string operand, AttentionCase sizes)
    {
        double[] actual = Read(tensor);
        if (expected.Max(Math.Abs) > 1e-9)
        {
            Accuracy.AssertClose(expected, actual, _bound, $"{operand}, {sizes}");
        }
        else
        {
            Assert.All(actual, element => Assert.True(Math.Abs(element) <= 2 * _bound, $"{operand}, {sizes}: {element} for 0"));
        }
    }

    private byte[] Finish(params Tensor[] results)
    {
        byte[] bits = [.. results.SelectMany(Bits)];
        _scope.Reset();
        return bits;
    }

    private Operand Random(int rows, int columns, double amplitude, int spare = 0)
    {
        var values = new double[rows * columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = amplitude * ((2 * _random.NextDouble()) - 1);
        }

        return Upload(new Shape(rows, columns), values, _type, spare);
    }

    /// <summary>A tensor of these values and, behind them, rows that nobody ever wrote: to read them is a violation.</summary>
    private Operand Upload(Shape shape, double[] values, DataType type, int spareRows)
    {
        Tensor whole = _scope.Allocate(new Shape(shape.Rows + spareRows, shape.Columns), type);
        Tensor written = _scope.Rows(whole, 0, shape.Rows);
        if (type == DataType.Float32)
        {
            float[] singles = [.. values.Select(value => (float)value)];
            _backend.Upload(singles, written);
            return new Operand(whole, [.. singles.Select(value => (double)value)]);
        }

        ushort[] bits = [.. values.Select(value => Round((float)value))];
        _backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), written);
        return new Operand(whole, [.. bits.Select(Widen)]);
    }

    private Tensor Poisoned(Shape shape, DataType type)
    {
        Tensor tensor = _scope.Allocate(shape, type);
        var bytes = new byte[tensor.Bytes];
        Array.Fill(bytes, (byte)0xFF);
        _backend.Upload(bytes, tensor);
        return tensor;
    }

    private byte[] Bits(Tensor tensor)
    {
        var bytes = new byte[tensor.Bytes];
        _backend.Download(tensor, bytes);
        return bytes;
    }

    private double[] Read(Tensor tensor) => tensor.DataType == DataType.Float32
        ? [.. MemoryMarshal.Cast<byte, float>(Bits(tensor)).ToArray().Select(value => (double)value)]
        : [.. MemoryMarshal.Cast<byte, ushort>(Bits(tensor)).ToArray().Select(Widen)];

    private ushort Round(float value) => _type == DataType.BFloat16 ? ReferenceHalves.ToBFloat16(value) : ReferenceHalves.ToFloat16(value);

    private double Widen(ushort bits) => _type == DataType.BFloat16 ? ReferenceHalves.FromBFloat16(bits) : ReferenceHalves.FromFloat16(bits);

    private sealed record Operand(Tensor Tensor, double[] Values);
}
