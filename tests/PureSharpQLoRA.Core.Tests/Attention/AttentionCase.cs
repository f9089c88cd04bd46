using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Cpu.Attention;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Core.Tests.Attention;

/// <summary>Made-up operands of one call, what the engine computes from them, and the exact result.</summary>
internal sealed unsafe class AttentionCase : IDisposable
{
    private readonly MemoryPool _memory = new(new CpuAllocator());
    private readonly ThreadTeam _team;
    private readonly AttentionEngine _engine = new();
    private readonly TensorScope _scope;
    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly int[] _starts;
    private readonly int _past;

    public AttentionCase(AttentionShape shape, int[] lengths, int past = 0, int threads = 2, int seed = 1)
    {
        FallbackRun.CheckInstructions();
        (Shape, _past) = (shape, past);
        _starts = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
        {
            _starts[i + 1] = _starts[i] + lengths[i];
        }

        _team = new ThreadTeam(threads);
        _scope = new TensorScope(_memory, MemoryPurpose.Activations);
        var random = new Random(seed);
        int tokens = _starts[^1];
        foreach (string name in new[] { "query", "key", "value", "dOutput", "output", "dQuery", "dKey", "dValue" })
        {
            bool keyLike = name is "key" or "value" or "dKey" or "dValue";
            Tensor tensor = _scope.Allocate(new Shape(keyLike ? past + tokens : tokens, keyLike ? shape.KeyWidth : shape.QueryWidth));
            _tensors.Add(name, tensor);
            foreach (ref float x in Values(name))
            {
                x = name is "query" or "key" or "value" or "dOutput" ? (float)(2 * random.NextDouble() - 1) * 1.7f : float.NaN;
            }
        }

        _tensors.Add("logSumExp", _scope.Allocate(new Shape(shape.Heads, tokens)));
    }

    public AttentionShape Shape { get; }

    public Span<float> Values(string name) => new((void*)_tensors[name].Address, checked((int)_tensors[name].Shape.Count));

    public void Forward(bool keepLogarithms = true) => _engine.Forward(_team, _memory, Operands(keepLogarithms), Shape, _starts, _past);

    public void Backward() => _engine.Backward(_team, _memory, Operands(true), Shape, _starts);

    public AttentionReference Exact(bool withGradients)
    {
        var reference = new AttentionReference(Shape, _starts, _past);
        reference.Run(Doubles("query"), Doubles("key"), Doubles("value"), withGradients ? Doubles("dOutput") : null);
        return reference;
    }

    /// <summary>
    /// Norm of the difference over the norm of the exact values, or of the outputs' gradients where the exact values vanish: a query that
    /// sees a single key has no gradient, only the rounding of a difference of equal terms.
    /// </summary>
    public double Error(string name, double[] exact)
    {
        double error = 0, norm = 0;
        ReadOnlySpan<float> values = Values(name);
        Assert.Equal(exact.Length, values.Length);
        for (int i = 0; i < exact.Length; i++)
        {
            error += Math.Pow(values[i] - exact[i], 2);
            norm += Math.Pow(exact[i], 2);
        }

        if (norm < 1e-20)
        {
            norm = Doubles("dOutput").Sum(x => x * x);
        }

        return Math.Sqrt(error / norm);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _scope.Dispose();
        _memory.Dispose();
        _team.Dispose();
    }

    private double[] Doubles(string name)
    {
        var values = new double[Values(name).Length];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Values(name)[i];
        }

        return values;
    }

    private float* At(string name) => (float*)_tensors[name].Address;

    private AttentionOperands Operands(bool keepLogarithms) => new()
    {
        Query = At("query"),
        Key = At("key"),
        Value = At("value"),
        Output = At("output"),
        LogSumExp = keepLogarithms ? At("logSumExp") : null,
        OutputGradient = At("dOutput"),
        QueryGradient = At("dQuery"),
        KeyGradient = At("dKey"),
        ValueGradient = At("dValue"),
    };
}
