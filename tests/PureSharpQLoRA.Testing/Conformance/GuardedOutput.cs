using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

/// <summary>Memory for a result, in the middle of memory that nobody may touch.</summary>
public sealed class GuardedOutput
{
    private readonly IBackend _backend;
    private readonly Tensor _whole;
    private readonly int _before;
    private readonly float _guard;

    /// <summary>Allocates and fills the memory.</summary>
    /// <param name="backend">The device.</param>
    /// <param name="scope">Owns the memory.</param>
    /// <param name="shape">The shape of the result.</param>
    /// <param name="type">Its type: fp32, fp16 or bf16.</param>
    /// <param name="initial">What is there already; null for NaN, which any result that is not overwritten shows.</param>
    public GuardedOutput(IBackend backend, TensorScope scope, Shape shape, DataType type, double[]? initial)
    {
        _backend = backend;
        _guard = ReferenceHalves.Round(12345.678f, type);

        // A matrix is guarded by rows, as a view of rows would be, hence aligned no better; a vector by whole cache lines.
        _before = shape.Rank == 1 ? 64 : shape.Columns;
        int count = (int)shape.Count;
        var values = new float[count + (2 * _before)];
        Array.Fill(values, _guard);
        for (int i = 0; i < count; i++)
        {
            values[_before + i] = initial is null ? float.NaN : (float)initial[i];
        }

        _whole = scope.Allocate(new Shape(values.Length), type);
        HostCopies.Upload(backend, values, _whole);
        Tensor = scope.Wrap(shape, type, _whole.Buffer!, type.BytesFor(_before));
    }

    /// <summary>Where the operation writes.</summary>
    public Tensor Tensor { get; }

    /// <summary>The error that an element may have however large it is: half of what the type can hold next to zero.</summary>
    public double Floor => Tensor.DataType == DataType.Float16 ? Math.Pow(2, -25) : 0;

    /// <summary>The result; fails if something around it has changed.</summary>
    public double[] Read()
    {
        float[] values = HostCopies.Download(_backend, _whole);
        for (int i = 0; i < _before; i++)
        {
            Assert.True(values[i] == _guard, $"Element {i - _before} ahead of the result {Tensor} was overwritten.");
            Assert.True(values[^(i + 1)] == _guard, $"Element {_before - i - 1} behind the result {Tensor} was overwritten.");
        }

        return [.. values[_before..^_before].Select(value => (double)value)];
    }

    /// <summary>Fails unless the relative Frobenius error is at most the bound.</summary>
    public void AssertClose(double[] exact, double bound, FormattableString what) => Accuracy.AssertClose(exact, Read(), bound, Floor, what);

    /// <summary>Fails unless the error is at most the bound times the scale, see <see cref="Accuracy.AssertCloseFor"/>.</summary>
    public void AssertCloseFor(double[] scale, double[] exact, double bound, FormattableString what) =>
        Accuracy.AssertCloseFor(scale, exact, Read(), bound, what, Floor);
}
