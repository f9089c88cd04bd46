using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Core.Tests.Tapes;

/// <summary>A transformer block of width 16 in all its parts, and the same in double.</summary>
internal sealed class TestBlock : IBlock
{
    public const int Width = 16;
    private const int Intermediate = 20;
    private const int HeadSize = 8;
    private const float Epsilon = 1e-3f;
    private const float Scale = 0.5f;
    private const float Dropout = 0.25f;
    private static readonly AttentionShape Heads = new(2, 1, HeadSize, 0.35f, 4);

    private readonly int _layer;
    private readonly Leaf _cosines;
    private readonly Leaf _sines;
    private readonly Leaf _inputNorm;
    private readonly Leaf _query;
    private readonly Leaf _queryBias;
    private readonly Leaf _queryNorm;
    private readonly Leaf _key;
    private readonly Leaf _value;
    private readonly Leaf _output;
    private readonly Leaf _outputNorm;
    private readonly Leaf _gate;
    private readonly Leaf _up;
    private readonly Leaf _down;
    private readonly Leaf _queryA;
    private readonly Leaf _queryB;
    private readonly Leaf _downA;
    private readonly Leaf _downB;
    private readonly LowRankAdapter _queryAdapter;
    private readonly LowRankAdapter _downAdapter;

    public TestBlock(TapeFixture fixture, int layer, Leaf cosines, Leaf sines)
    {
        (_layer, _cosines, _sines) = (layer, cosines, sines);
        Leaf Weight(string name, int rows, int columns) => fixture.Weight($"block {layer}, {name}", new Shape(rows, columns), 0.4);
        Leaf Vector(string name, int length) => fixture.Weight($"block {layer}, {name}", new Shape(length));
        _inputNorm = Vector("input norm", Width);
        _query = Weight("query", Width, Width);
        _queryBias = Vector("query bias", Width);
        _queryNorm = Vector("query norm", HeadSize);
        _key = Weight("key", HeadSize, Width);
        _value = Weight("value", HeadSize, Width);
        _output = Weight("output", Width, Width);
        _outputNorm = Vector("output norm", Width);
        _gate = Weight("gate", Intermediate, Width);
        _up = Weight("up", Intermediate, Width);
        _down = Weight("down", Width, Intermediate);
        (_queryA, _queryB) = (Weight("query A", 2, Width), Weight("query B", Width, 2));
        (_downA, _downB) = (Weight("down A", 2, Intermediate), Weight("down B", Width, 2));
        _queryAdapter = new LowRankAdapter(_queryA.Tensor, _queryB.Tensor, Scale, Dropout);
        _downAdapter = new LowRankAdapter(_downA.Tensor, _downB.Tensor, Scale, Dropout);
    }

    /// <summary>In how many parts the tape computes the second half; each has random numbers of its own.</summary>
    public int Parts { get; set; } = 1;

    public Tensor Attend(Tape tape, Tensor x, SequenceLayout layout)
    {
        Tensor h = tape.RmsNorm(x, _inputNorm.Tensor, Epsilon);
        Tensor query = tape.RmsNorm(tape.Linear(h, _query.Tensor, _queryBias.Tensor, _queryAdapter), _queryNorm.Tensor, Epsilon);
        query = tape.Rotary(query, _cosines.Tensor, _sines.Tensor, layout, HeadSize);
        Tensor key = tape.Rotary(tape.Linear(h, _key.Tensor), _cosines.Tensor, _sines.Tensor, layout, HeadSize);
        Tensor attended = tape.Attention(query, key, tape.Linear(h, _value.Tensor), layout, Heads, _layer);
        return tape.Residual(x, tape.Linear(attended, _output.Tensor));
    }

    public Tensor Transform(Tape tape, Tensor x)
    {
        Tensor h = tape.RmsNorm(x, _outputNorm.Tensor, Epsilon);
        Tensor mixed = tape.SwiGlu(tape.Linear(h, _gate.Tensor), tape.Linear(h, _up.Tensor));
        return tape.ResidualLinear(x, mixed, _down.Tensor, null, _downAdapter);
    }

    /// <summary>The same in double, with the random numbers of a step of the given seed.</summary>
    public double[] Reference(double[] x, SequenceLayout layout, ulong seed)
    {
        int tokens = layout.Tokens;
        int[] positions = layout.Positions.ToArray();
        ulong counter = (ulong)((1 + Parts) * _layer);
        double[] h = ReferenceRmsNorm.Forward(x, _inputNorm.Values, Epsilon);
        double[] query = ReferenceElementwise.Add(
            ReferenceProducts.AddBias(Product(h, _query), _queryBias.Values), Adapter(h, _queryA, _queryB, Philox.Mix(seed, counter + 1)));
        query = Rotated(ReferenceRmsNorm.Forward(query, _queryNorm.Values, Epsilon));
        double[] attended = ReferenceAttention.Forward(query, Rotated(Product(h, _key)), Product(h, _value), Heads, layout.Starts.ToArray()).Output;
        x = ReferenceElementwise.Add(x, Product(attended, _output));
        h = ReferenceRmsNorm.Forward(x, _outputNorm.Values, Epsilon);
        double[] mixed = ReferenceSwiGlu.Forward(Product(h, _gate), Product(h, _up));
        return ReferenceElementwise.Add(x, ReferenceElementwise.Add(Product(mixed, _down), DownAdapter(mixed)));

        double[] DownAdapter(double[] input)
        {
            var dropped = new List<double>();
            for (int part = 0; part < Parts; part++)
            {
                int first = tokens * part / Parts, end = tokens * (part + 1) / Parts;
                dropped.AddRange(ReferenceDropout.Dropout(input[(first * Intermediate)..(end * Intermediate)], Dropout, Philox.Mix(seed, counter + 2 + (ulong)part)));
            }

            return ReferenceElementwise.Scale(Product(Product([.. dropped], _downA), _downB), Scale);
        }

        double[] Product(double[] input, Leaf weight) =>
            ReferenceProducts.MatMulTransposed(input, weight.Values, tokens, weight.Tensor.Shape[1], weight.Tensor.Shape[0]);

        double[] Adapter(double[] input, Leaf a, Leaf b, ulong dropoutSeed) =>
            ReferenceElementwise.Scale(Product(Product(ReferenceDropout.Dropout(input, Dropout, dropoutSeed), a), b), Scale);

        double[] Rotated(double[] values) => ReferenceRotary.Rotate(values, _cosines.Values, _sines.Values, positions, HeadSize, inverse: false);
    }
}
