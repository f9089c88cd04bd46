using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Gemm;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests;

/// <summary>An engine with memory of its own, tensors of every type with the values they stand for, and products in double arithmetic.</summary>
internal sealed unsafe class GemmFixture : IDisposable
{
    private readonly Random _random = new(20260);
    private readonly ThreadTeam _team;
    private readonly TensorScope _scope;

    public GemmFixture(int threads = 2, bool bf16 = false)
    {
        FallbackRun.CheckInstructions();
        _team = new ThreadTeam(threads);
        Memory = new MemoryPool(new CpuAllocator());
        _scope = new TensorScope(Memory, MemoryPurpose.Activations);
        Engine = new GemmEngine(_team, Memory, bf16);
    }

    public MemoryPool Memory { get; }

    public GemmEngine Engine { get; }

    public ThreadTeam Team => _team;

    /// <summary>The relative error that a product may have, as a Frobenius norm.</summary>
    public double Tolerance => Engine.IsBf16 ? 5e-3 : 1e-6;

    /// <summary>A random matrix of the given type.</summary>
    public Tensor Random(int rows, int columns, DataType type = DataType.Float32)
    {
        Tensor tensor = _scope.Allocate(new Shape(rows, columns), type);
        int count = rows * columns;
        switch (type)
        {
            case DataType.Float32:
                Fill(tensor);
                break;
            case DataType.Nf4:
                _random.NextBytes(new Span<byte>((void*)tensor.Address, (count + 1) / 2));
                Tensor scales = _scope.Allocate(new Shape((count + 63) / 64));
                foreach (ref float scale in Floats(scales))
                {
                    scale = 0.5f + _random.NextSingle();
                }

                tensor.AttachStatistics(new Nf4Statistics(scales));
                break;
            default:
                foreach (ref ushort bits in new Span<ushort>((void*)tensor.Address, count))
                {
                    float value = Next();
                    bits = type == DataType.BFloat16
                        ? (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16)
                        : BitConverter.HalfToUInt16Bits((Half)value);
                }

                break;
        }

        return tensor;
    }

    /// <summary>New random values in an fp32 tensor.</summary>
    public void Fill(Tensor tensor)
    {
        foreach (ref float value in Floats(tensor))
        {
            value = Next();
        }

        tensor.MarkWritten();
    }

    /// <summary>A view of rows.</summary>
    public Tensor Rows(Tensor source, int first, int rows) => _scope.Rows(source, first, rows);

    public static Span<float> Floats(Tensor tensor) => new((void*)tensor.Address, (int)tensor.Shape.Count);

    /// <summary>What the elements of a tensor stand for, one at a time, the obvious way.</summary>
    public static double[] Values(Tensor tensor)
    {
        var values = new double[tensor.Shape.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = tensor.DataType switch
            {
                DataType.Float32 => ((float*)tensor.Address)[i],
                DataType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)((ushort*)tensor.Address)[i] << 16),
                DataType.Float16 => (double)((Half*)tensor.Address)[i],
                _ => Nf4Value(tensor, i),
            };
        }

        return values;
    }

    /// <summary>[rows, reduction] times [reduction, columns], each given by its strides.</summary>
    public static double[] Product(
        double[] left, (int Row, int Step) leftStride, double[] right, (int Step, int Column) rightStride, int rows, int reduction, int columns)
    {
        var result = new double[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int k = 0; k < reduction; k++)
            {
                double x = left[i * leftStride.Row + k * leftStride.Step];
                int at = k * rightStride.Step;
                for (int j = 0; j < columns; j++)
                {
                    result[i * columns + j] += x * right[at + j * rightStride.Column];
                }
            }
        }

        return result;
    }

    public static double[] ProductOf(Tensor x, Tensor weight, bool transposed)
    {
        int columns = weight.Shape.Columns;
        return transposed
            ? Product(Values(x), (columns, 1), Values(weight), (1, columns), x.Shape.Rows, columns, weight.Shape.Rows)
            : Product(Values(x), (weight.Shape.Rows, 1), Values(weight), (columns, 1), x.Shape.Rows, weight.Shape.Rows, columns);
    }

    /// <summary>The Frobenius norm of the difference over that of the exact result.</summary>
    public static double RelativeError(ReadOnlySpan<float> actual, double[] exact)
    {
        double error = 0, norm = 1e-30;
        for (int i = 0; i < exact.Length; i++)
        {
            error += (actual[i] - exact[i]) * (actual[i] - exact[i]);
            norm += exact[i] * exact[i];
        }

        return Math.Sqrt(error / norm);
    }

    public void Multiply(Tensor x, Tensor weight, bool transposed, Tensor y, float scale = 1, bool accumulate = false, LowRankTerm? term = null)
    {
        Engine.Multiply(x, weight, transposed, (float*)y.Address, scale, accumulate, term);
        y.MarkWritten();
    }

    public void MultiplyGradient(Tensor a, Tensor b, Tensor y, bool accumulate)
    {
        Engine.MultiplyGradient(a, b, (float*)y.Address, accumulate);
        y.MarkWritten();
    }

    public void Dispose()
    {
        _scope.Dispose();
        Engine.Dispose();
        Memory.Dispose();
        _team.Dispose();
    }

    private static double Nf4Value(Tensor tensor, int index)
    {
        byte pair = ((byte*)tensor.Address)[index / 2];
        int code = index % 2 == 0 ? pair >> 4 : pair & 15;
        return Nf4Format.Levels[code] * Floats(tensor.Quantization!.AbsoluteMaxima)[index / 64];
    }

    private float Next() => _random.NextSingle() + _random.NextSingle() - 1;
}
