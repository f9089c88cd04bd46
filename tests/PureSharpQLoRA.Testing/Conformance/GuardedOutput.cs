using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.Conformance;

/// <summary>Memory for a result, in the middle of memory that nobody may touch.</summary>
public sealed class GuardedOutput
{
    private const float Guard = 12345.678f;

    private readonly IBackend _backend;
    private readonly Tensor _whole;
    private readonly int _before;

    /// <summary>Allocates and fills the memory.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="scope">Owns the memory.</param>
    /// <param name="shape">The shape of the result.</param>
    /// <param name="initial">What is there already; null for NaN, which any result that is not overwritten shows.</param>
    public GuardedOutput(IBackend backend, TensorScope scope, Shape shape, double[]? initial)
    {
        _backend = backend;

        // A matrix is guarded by rows, as a view of rows would be, hence aligned no better; a vector by whole cache lines.
        _before = shape.Rank == 1 ? 64 : shape.Columns;
        int count = (int)shape.Count;
        var values = new float[count + (2 * _before)];
        Array.Fill(values, Guard);
        for (int i = 0; i < count; i++)
        {
            values[_before + i] = initial is null ? float.NaN : (float)initial[i];
        }

        _whole = scope.Allocate(new Shape(values.Length));
        backend.Upload(values, _whole);
        Tensor = scope.Wrap(shape, DataType.Float32, _whole.Buffer!, sizeof(float) * _before);
    }

    /// <summary>Where the operation writes.</summary>
    public Tensor Tensor { get; }

    /// <summary>The result; fails if something around it has changed.</summary>
    public double[] Read()
    {
        float[] values = _backend.ToArray(_whole);
        for (int i = 0; i < _before; i++)
        {
            Assert.True(values[i] == Guard, $"Element {i - _before} ahead of the result {Tensor} was overwritten.");
            Assert.True(values[^(i + 1)] == Guard, $"Element {_before - i - 1} behind the result {Tensor} was overwritten.");
        }

        return [.. values[_before..^_before].Select(value => (double)value)];
    }
}
