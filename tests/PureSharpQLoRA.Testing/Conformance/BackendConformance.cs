using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

/// <summary>
/// What every backend must compute: each operation against its reference in double, for sizes that fit no vector and no tile. A backend's
/// test class derives from this one. Results begin as NaN where they are to be overwritten, and lie in guarded memory; operands lie among NaN.
/// </summary>
public abstract partial class BackendConformance : IDisposable
{
    private readonly Random _random = new(20261);
    private TensorScope? _scope;

    /// <summary>The backend under test; the suite disposes it.</summary>
    protected abstract IBackend Backend { get; }

    /// <summary>The errors it may make.</summary>
    protected virtual ConformanceBounds Bounds => ConformanceBounds.Single;

    private static int[] Widths => [1, 3, 15, 16, 17, 64, 172, 288];

    private static int[] TokenCounts => [1, 31, 33, 129];

    private TensorScope Scope => _scope ??= new TensorScope(Backend.Memory, MemoryPurpose.Activations);

    /// <summary>Everything that a test allocated must be gone once the backend is.</summary>
    public void Dispose()
    {
        _scope?.Dispose();
        LeakCheck.DisposeAndAssert(Backend);
        GC.SuppressFinalize(this);
    }

    /// <summary>Random values in [-amplitude, amplitude).</summary>
    private double[] RandomValues(long count, double amplitude = 1)
    {
        var values = new double[count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(amplitude * ((2 * _random.NextDouble()) - 1));
        }

        return values;
    }

    private Operand Random(int rows, int columns, DataType type = DataType.Float32, double amplitude = 1) =>
        Random(new Shape(rows, columns), type, amplitude);

    /// <summary>A random operand of any type.</summary>
    private Operand Random(Shape shape, DataType type = DataType.Float32, double amplitude = 1)
    {
        if (type == DataType.Nf4)
        {
            return RandomNf4(shape);
        }

        return Operand(shape, RandomValues(shape.Count, amplitude), type);
    }

    /// <summary>Given values as an operand of a dense type, with NaN around it.</summary>
    private Operand Operand(Shape shape, double[] values, DataType type = DataType.Float32)
    {
        int around = shape.Rank == 1 ? 64 : shape.Columns;
        var padded = new float[values.Length + (2 * around)];
        Array.Fill(padded, float.NaN);
        for (int i = 0; i < values.Length; i++)
        {
            padded[around + i] = (float)values[i];
        }

        Tensor whole = Scope.Allocate(new Shape(padded.Length), type);
        if (type == DataType.Float32)
        {
            Backend.Upload(padded, whole);
            return new Operand(Scope.Wrap(shape, type, whole.Buffer!, sizeof(float) * around), values);
        }

        bool brain = type == DataType.BFloat16;
        ushort[] bits = [.. padded.Select(value => brain ? ReferenceHalves.ToBFloat16(value) : ReferenceHalves.ToFloat16(value))];
        Backend.Upload(MemoryMarshal.AsBytes(bits.AsSpan()), whole);
        double[] rounded = [.. bits[around..^around].Select(b => (double)(brain ? ReferenceHalves.FromBFloat16(b) : ReferenceHalves.FromFloat16(b)))];
        return new Operand(Scope.Wrap(shape, type, whole.Buffer!, sizeof(ushort) * around), rounded);
    }

    private Operand RandomNf4(Shape shape)
    {
        var codes = new byte[Nf4Format.CodeBytes(shape.Count)];
        _random.NextBytes(codes);
        float[] maxima = [.. RandomValues(Nf4Format.Blocks(shape.Count)).Select(value => 1.5f + (float)value)];
        Tensor tensor = Scope.Allocate(shape, DataType.Nf4);
        Backend.Upload(codes, tensor);
        Tensor statistics = Scope.Allocate(new Shape(maxima.Length));
        Backend.Upload(maxima, statistics);
        tensor.AttachStatistics(new Nf4Statistics(statistics));
        return new Operand(tensor, ReferenceNf4.Decode(codes, maxima, (int)shape.Count));
    }

    private Tensor Integers(int[] values)
    {
        Tensor tensor = Scope.Allocate(new Shape(values.Length), DataType.Int32);
        Backend.Upload(values, tensor);
        return tensor;
    }

    private int[] RandomIds(int count, int end) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(end))];

    /// <summary>Guarded memory for a result: NaN, or what it is to be added to.</summary>
    private GuardedOutput Output(Shape shape, double[]? initial = null) => new(Backend, Scope, shape, initial);
}
