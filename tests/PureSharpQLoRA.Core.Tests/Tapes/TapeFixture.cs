using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Core.Tests.Tapes;

/// <summary>A tape on the CPU, leaves with their values in double, and a comparison of gradients with finite differences.</summary>
internal sealed class TapeFixture : IDisposable
{
    private readonly Random _random = new(17);
    private readonly TensorScope _weights;

    public TapeFixture()
    {
        Backend = new CpuBackend(new CpuOptions { Threads = 2 });
        _weights = new TensorScope(Backend.Memory, MemoryPurpose.Weights);
        LossTotal = _weights.Allocate(ElementwiseOps.TotalShape);
        Tape = new Tape(Backend) { IsRecording = true, IsTraining = true, RandomSeed = 4711 };
    }

    public CpuBackend Backend { get; }

    public Tape Tape { get; }

    /// <summary>Where losses add up.</summary>
    public Tensor LossTotal { get; }

    /// <summary>All trainable leaves, weights and inputs.</summary>
    public List<Leaf> Leaves { get; } = [];

    public double[] Values(long count, double amplitude = 1)
    {
        var values = new double[count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(amplitude * ((2 * _random.NextDouble()) - 1));
        }

        return values;
    }

    /// <summary>A weight that outlives the steps.</summary>
    public Leaf Weight(string name, Shape shape, double amplitude = 1, bool trainable = true) => Fill(name, _weights.Allocate(shape), amplitude, trainable);

    /// <summary>An input of one step.</summary>
    public Leaf Input(string name, Shape shape, bool trainable = true) => Fill(name, Tape.NewTensor(shape), 1, trainable);

    /// <summary>A frozen weight in 4 bits.</summary>
    public Leaf Nf4(string name, Shape shape)
    {
        float[] values = [.. Values(shape.Count).Select(value => (float)value)];
        byte[] codes = new byte[Nf4Format.CodeBytes(shape.Count)];
        float[] maxima = new float[Nf4Format.Blocks(shape.Count)];
        Nf4Quantizer.Quantize(values, codes, maxima);
        Tensor tensor = _weights.Allocate(shape, DataType.Nf4), statistics = _weights.Allocate(new Shape(maxima.Length));
        Backend.Upload(codes, tensor);
        Backend.Upload(maxima, statistics);
        tensor.AttachStatistics(new Nf4Statistics(statistics));
        return new Leaf(name, tensor, ReferenceNf4.Decode(codes, maxima, values.Length));
    }

    public Tensor Ids(int[] ids)
    {
        Tensor tensor = _weights.Allocate(new Shape(ids.Length), DataType.Int32);
        Backend.Upload(ids, tensor);
        return tensor;
    }

    /// <summary>Runs the tape backwards from a random gradient of its result, and compares with the reference: the result, and every leaf's gradient.</summary>
    /// <param name="result">What the tape computed.</param>
    /// <param name="reference">The same from the values of the leaves, in double.</param>
    public void Check(Tensor result, Func<double[]> reference)
    {
        double[] dy = Values(result.Shape.Count);
        Accuracy.AssertClose(reference(), Read(result), 2e-6, $"the result");
        Backend.Upload([.. dy.Select(value => (float)value)], Tape.GradientFor(result, out _));
        Tape.Backward();
        CheckGradients(() => ReferenceElementwise.Dot(dy, reference()));
    }

    /// <summary>Compares every leaf's gradient with the differences of a loss.</summary>
    public void CheckGradients(Func<double> loss)
    {
        foreach (Leaf leaf in Leaves)
        {
            Assert.True(leaf.Tensor.HasGradient, $"{leaf.Name} has no gradient.");
            Accuracy.AssertClose(GradientCheck.Numerically(loss, leaf.Values), Read(leaf.Tensor.Gradient!), 1e-5, $"the gradient of {leaf.Name}");
        }
    }

    public double[] Read(Tensor tensor) => [.. Backend.ToArray(tensor).Select(value => (double)value)];

    public void Dispose()
    {
        Tape.Dispose();
        _weights.Dispose();
        LeakCheck.DisposeAndAssert(Backend);
    }

    private Leaf Fill(string name, Tensor tensor, double amplitude, bool trainable)
    {
        var leaf = new Leaf(name, tensor, Values(tensor.Shape.Count, amplitude));
        Backend.Upload([.. leaf.Values.Select(value => (float)value)], tensor);
        if (trainable)
        {
            tensor.RequiresGradient = true;
            Leaves.Add(leaf);
        }

        return leaf;
    }
}

/// <summary>A tensor that no operation computed, and its values in double.</summary>
internal sealed record Leaf(string Name, Tensor Tensor, double[] Values);
