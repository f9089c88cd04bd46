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

    /// <summary>In which type operands and results are that the operations call activations.</summary>
    protected virtual DataType Activations => Backend.ActivationType;

    /// <summary>The errors it may make.</summary>
    protected virtual ConformanceBounds Bounds => ConformanceBounds.For(Activations);

    /// <summary>Columns of operands; a slow device takes fewer.</summary>
    protected virtual int[] Widths => [1, 3, 15, 16, 17, 64, 172, 288];

    /// <summary>Rows of operands; a slow device takes fewer.</summary>
    protected virtual int[] TokenCounts => [1, 31, 33, 129];

    /// <summary>Document boundaries for attention; a slow device takes fewer.</summary>
    protected virtual int[][] DocumentCases => [[0, 1], [0, 31], [0, 33], [0, 129], [0, 5, 38], [0, 1, 2, 3], [0, 16, 16, 48], [0, 1, 32, 65, 129]];

    /// <summary>The most elements, or multiplications of products and attention, that a case may have; larger ones are left out. For slow devices.</summary>
    protected virtual long LargestCase => long.MaxValue;

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

    /// <summary>As <see cref="RandomValues"/>, as activations can hold them.</summary>
    private double[] RandomActivations(long count, double amplitude = 1) =>
        [.. RandomValues(count, amplitude).Select(value => (double)ReferenceHalves.Round((float)value, Activations))];

    /// <summary>A random operand of the activation type.</summary>
    private Operand Activation(int rows, int columns, double amplitude = 1) => Random(new Shape(rows, columns), Activations, amplitude);

    /// <summary>A random operand of the activation type.</summary>
    private Operand Activation(Shape shape, double amplitude = 1) => Random(shape, Activations, amplitude);

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
        HostCopies.Upload(Backend, padded, whole);
        double[] rounded = type == DataType.Float32 ? values : [.. values.Select(value => (double)ReferenceHalves.Round((float)value, type))];
        return new Operand(Scope.Wrap(shape, type, whole.Buffer!, type.BytesFor(around)), rounded);
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

    /// <summary>Guarded memory for a result in fp32: NaN, or what it is to be added to.</summary>
    private GuardedOutput Output(Shape shape, double[]? initial = null) => new(Backend, Scope, shape, DataType.Float32, initial);

    /// <summary>Guarded memory for a result of the activation type: NaN, or what it is to be added to, which the type can hold.</summary>
    private GuardedOutput ActivationOutput(Shape shape, double[]? initial = null) => new(Backend, Scope, shape, Activations, initial);

    /// <summary>Whether a case is left out as too large for the device.</summary>
    private bool IsTooLarge(long work) => work > LargestCase;

    private void SkipIfTooLarge(long work) => Assert.SkipWhen(IsTooLarge(work), "The case is too large for this device.");
}
