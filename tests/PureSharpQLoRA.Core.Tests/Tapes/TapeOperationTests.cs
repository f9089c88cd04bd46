using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Core.Tests.Tapes;

/// <summary>The gradients of every operation of the tape, against finite differences of the same computed in double.</summary>
public sealed class TapeOperationTests : IDisposable
{
    private const int Tokens = 7;
    private readonly TapeFixture _fixture = new();

    private Tape Tape => _fixture.Tape;

    public void Dispose() => _fixture.Dispose();

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void Linear(bool bias, bool frozen)
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 9)), w = _fixture.Weight("w", new Shape(5, 9), trainable: !frozen);
        Leaf? b = bias ? _fixture.Weight("bias", new Shape(5)) : null;
        _fixture.Check(Tape.Linear(x.Tensor, w.Tensor, b?.Tensor), () => Plain(x.Values, w.Values, b?.Values, 5));
        Assert.Equal(frozen, w.Tensor.Gradient is null);
    }

    [Fact]
    public void Bias_alone()
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 9), trainable: false), w = _fixture.Weight("w", new Shape(5, 9), trainable: false);
        Leaf b = _fixture.Weight("bias", new Shape(5));
        _fixture.Check(Tape.Linear(x.Tensor, w.Tensor, b.Tensor), () => Plain(x.Values, w.Values, b.Values, 5));
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 0)]
    [InlineData(false, 0.3f)]
    [InlineData(true, 0.3f)]
    public void Linear_with_an_adapter(bool nf4, float dropout)
    {
        const float Scale = 0.5f;
        Leaf x = _fixture.Input("x", new Shape(Tokens, 9)), w = nf4 ? _fixture.Nf4("w", new Shape(5, 9)) : _fixture.Weight("w", new Shape(5, 9));
        Leaf a = _fixture.Weight("A", new Shape(2, 9)), b = _fixture.Weight("B", new Shape(5, 2)), bias = _fixture.Weight("bias", new Shape(5));
        Tensor y = Tape.Linear(x.Tensor, w.Tensor, bias.Tensor, new LowRankAdapter(a.Tensor, b.Tensor, Scale, dropout));
        _fixture.Check(y, () => ReferenceElementwise.AddScaled(
            Plain(x.Values, w.Values, bias.Values, 5), Low(Dropped(x.Values, dropout), a.Values, b.Values, 2, 5), Scale));
    }

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(false, false, true)]
    public void Linear_with_an_adapter_of_which_one_part_is_trained(bool trainA, bool trainB, bool trainMagnitude)
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 9), trainable: false), w = _fixture.Nf4("w", new Shape(5, 9));
        Leaf a = _fixture.Weight("A", new Shape(2, 9), trainable: trainA), b = _fixture.Weight("B", new Shape(5, 2), trainable: trainB);
        Leaf magnitude = _fixture.Weight("magnitude", new Shape(5), trainable: trainMagnitude);
        CheckDora(x, w, a, b, magnitude, null);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Linear_with_dora(bool nf4, bool bias)
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 9)), w = nf4 ? _fixture.Nf4("w", new Shape(5, 9)) : _fixture.Weight("w", new Shape(5, 9));
        Leaf a = _fixture.Weight("A", new Shape(2, 9)), b = _fixture.Weight("B", new Shape(5, 2)), magnitude = _fixture.Weight("magnitude", new Shape(5));
        CheckDora(x, w, a, b, magnitude, bias ? _fixture.Weight("bias", new Shape(5)) : null);
    }

    [Theory]
    [InlineData(12)]
    [InlineData(4)]
    public void RmsNorm(int size)
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 12)), w = _fixture.Weight("w", new Shape(size));
        _fixture.Check(Tape.RmsNorm(x.Tensor, w.Tensor, 1e-3f), () => ReferenceRmsNorm.Forward(x.Values, w.Values, 1e-3f));
    }

    [Fact]
    public void Rotary()
    {
        var layout = new SequenceLayout();
        layout.Set([0, 3, Tokens]);
        Leaf x = _fixture.Input("x", new Shape(Tokens, 16));
        Leaf cosines = _fixture.Weight("cosines", new Shape(5, 4), trainable: false), sines = _fixture.Weight("sines", new Shape(5, 4), trainable: false);
        int[] positions = layout.Positions.ToArray();
        Tensor y = Tape.Rotary(x.Tensor, cosines.Tensor, sines.Tensor, layout, 8);
        Assert.False(x.Tensor.IsMaterialized);
        _fixture.Check(y, () => ReferenceRotary.Rotate(x.Values, cosines.Values, sines.Values, positions, 8, inverse: false));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Attention(int window)
    {
        var shape = new AttentionShape(4, 2, 8, 0.4f, window);
        var layout = new SequenceLayout();
        layout.Set([0, 3, Tokens]);
        Leaf q = _fixture.Input("query", new Shape(Tokens, 32)), k = _fixture.Input("key", new Shape(Tokens, 16)), v = _fixture.Input("value", new Shape(Tokens, 16));
        Tensor y = Tape.Attention(q.Tensor, k.Tensor, v.Tensor, layout, shape, 0);
        _fixture.Check(y, () => ReferenceAttention.Forward(q.Values, k.Values, v.Values, shape, [0, 3, Tokens]).Output);
    }

    [Fact]
    public void SwiGlu()
    {
        Leaf gate = _fixture.Input("gate", new Shape(Tokens, 9)), up = _fixture.Input("up", new Shape(Tokens, 9));
        _fixture.Check(Tape.SwiGlu(gate.Tensor, up.Tensor), () => ReferenceSwiGlu.Forward(gate.Values, up.Values));
    }

    [Fact]
    public void Residual_spends_its_branch()
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 9)), branch = _fixture.Input("branch", new Shape(Tokens, 9));
        Tensor y = Tape.Residual(x.Tensor, branch.Tensor);
        Assert.True(x.Tensor.IsMaterialized);
        Assert.Contains("was released, or taken over", Assert.Throws<InvalidOperationException>(() => branch.Tensor.Address).Message, StringComparison.Ordinal);
        _fixture.Check(y, () => ReferenceElementwise.Add(x.Values, branch.Values));
    }

    [Fact]
    public void Embedding()
    {
        int[] ids = [3, 0, 3, 10, 7, 3, 0];
        Leaf table = _fixture.Weight("table", new Shape(11, 6));
        _fixture.Check(Tape.Embedding(table.Tensor, _fixture.Ids(ids)), () => ReferenceEmbedding.Gather(table.Values, ids, 6));
    }

    [Fact]
    public void Embedding_noise_only_while_training()
    {
        var layout = SequenceLayout.Uniform(1, Tokens);
        Leaf x = _fixture.Input("x", new Shape(Tokens, 6));
        Tape.IsTraining = false;
        Tape.EmbeddingNoise(x.Tensor, 5, layout);
        Assert.Equal(x.Values, _fixture.Read(x.Tensor));
        Tape.IsTraining = true;
        Tape.EmbeddingNoise(x.Tensor, 5, layout);
        double[] exact = ReferenceDropout.AddUniformNoise(x.Values, 5 / MathF.Sqrt(Tokens * 6), Philox.Mix(Tape.RandomSeed, 1));
        Accuracy.AssertClose(exact, _fixture.Read(x.Tensor), 2e-7, $"the noise");
    }

    [Theory]
    [InlineData(13)]
    [InlineData(300_000)]
    public void LanguageLoss(int vocabulary)
    {
        // The larger vocabulary has chunks of 16 tokens, and one whose labels are all ignored.
        int tokens = vocabulary > 1000 ? 50 : Tokens;
        int[] labels = [.. Enumerable.Range(0, tokens).Select(i => i is >= 16 and < 32 || i % 3 == 1 ? -100 : (i * 7919) % vocabulary)];
        Leaf hidden = _fixture.Input("hidden", new Shape(tokens, 4)), head = _fixture.Weight("head", new Shape(vocabulary, 4));
        double loss = LossTotal.Of(Tape.Backend, total => Tape.LanguageLoss(hidden.Tensor, head.Tensor, labels, 0.125f, total));
        double[] logits = ReferenceProducts.MatMulTransposed(hidden.Values, head.Values, tokens, 4, vocabulary);
        Accuracy.AssertClose(ReferenceCrossEntropy.Forward(logits, labels).Sum(), loss, 1e-6, $"the loss");
        double[] dLogits = ReferenceCrossEntropy.Backward(logits, labels, 0.125);
        Tape.Backward();
        double[] dHidden = ReferenceProducts.MatMul(dLogits, head.Values, tokens, vocabulary, 4);
        Accuracy.AssertClose(dHidden, _fixture.Read(hidden.Tensor.Gradient!), 5e-6, $"the gradient of hidden");
        double[] dHead = ReferenceProducts.MatMulGradient(dLogits, hidden.Values, tokens, vocabulary, 4);
        Accuracy.AssertClose(dHead, _fixture.Read(head.Tensor.Gradient!), 5e-6, $"the gradient of the head");
    }

    [Fact]
    public void A_leaf_used_twice_gets_both_contributions()
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 6)), w = _fixture.Weight("w", new Shape(6, 6));
        Tensor h = Tape.Linear(x.Tensor, w.Tensor);
        _fixture.Check(Tape.Residual(x.Tensor, Tape.Linear(h, w.Tensor)), () =>
            ReferenceElementwise.Add(x.Values, Plain(Plain(x.Values, w.Values, null, 6), w.Values, null, 6)));
    }

    /// <summary>The sum's gradient is shared by both of its inputs until one of them changes it.</summary>
    [Fact]
    public void A_tensor_that_is_both_kept_and_transformed_gets_both_contributions()
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 6)), norm = _fixture.Weight("norm", new Shape(6));
        Tensor first = Tape.Residual(x.Tensor, Tape.RmsNorm(x.Tensor, norm.Tensor, 1e-3f));
        Tensor second = Tape.Residual(first, Tape.SwiGlu(first, x.Tensor));
        _fixture.Check(second, () =>
        {
            double[] sum = ReferenceElementwise.Add(x.Values, ReferenceRmsNorm.Forward(x.Values, norm.Values, 1e-3f));
            return ReferenceElementwise.Add(sum, ReferenceSwiGlu.Forward(sum, x.Values));
        });
    }

    [Fact]
    public void Operations_that_need_no_gradient_are_not_recorded()
    {
        Leaf x = _fixture.Input("x", new Shape(Tokens, 8), trainable: false), w = _fixture.Weight("w", new Shape(8, 8), trainable: false);
        Leaf norm = _fixture.Weight("norm", new Shape(8), trainable: false), a = _fixture.Weight("A", new Shape(2, 8)), b = _fixture.Weight("B", new Shape(8, 2));
        var layout = SequenceLayout.Uniform(1, Tokens);
        Tensor h = Tape.Linear(Tape.RmsNorm(x.Tensor, norm.Tensor, 1e-3f), w.Tensor);
        h = Tape.Attention(h, h, h, layout, new AttentionShape(1, 1, 8, 1), 0);
        h = Tape.Residual(x.Tensor, Tape.SwiGlu(h, h));
        Assert.Equal(0, Tape.Count);
        Assert.False(h.RequiresGradient);
        h = Tape.Linear(h, w.Tensor, null, new LowRankAdapter(a.Tensor, b.Tensor, 1));
        Assert.Equal(1, Tape.Count);
        Tape.IsRecording = false;
        Tape.Linear(h, w.Tensor);
        Assert.Equal(1, Tape.Count);
    }

    [Fact]
    public void Operands_that_do_not_fit_are_refused_by_name()
    {
        Tensor x = _fixture.Input("x", new Shape(Tokens, 9)).Tensor, w = _fixture.Weight("w", new Shape(5, 8)).Tensor;
        Assert.Equal("Linear: x should be [..., 8] but is [7, 9].", Assert.Throws<ShapeException>(() => Tape.Linear(x, w)).Message);
        Assert.Throws<ShapeException>(() => Tape.RmsNorm(x, _fixture.Weight("norm", new Shape(4)).Tensor, 1));
        Assert.Throws<ShapeException>(() => Tape.LanguageLoss(x, _fixture.Weight("head", new Shape(5, 9)).Tensor, [1], 1, x));
        Assert.Throws<ShapeException>(() => Tape.Rotary(x, w, w, SequenceLayout.Uniform(1, Tokens), 8));
        Assert.Throws<ShapeException>(() => Tape.Rotary(x, _fixture.Weight("cosines", new Shape(6, 4)).Tensor, w, SequenceLayout.Uniform(1, Tokens), 9));
    }

    private static double[] Plain(double[] x, double[] w, double[]? bias, int outputs)
    {
        double[] y = ReferenceProducts.MatMulTransposed(x, w, Tokens, x.Length / Tokens, outputs);
        return bias is null ? y : ReferenceProducts.AddBias(y, bias);
    }

    private static double[] Low(double[] x, double[] a, double[] b, int rank, int outputs) => Plain(Plain(x, a, null, rank), b, null, outputs);

    private double[] Dropped(double[] x, float probability) =>
        probability == 0 ? x : ReferenceDropout.Dropout(x, probability, Philox.Mix(Tape.RandomSeed, 1));

    private void CheckDora(Leaf x, Leaf w, Leaf a, Leaf b, Leaf magnitude, Leaf? bias)
    {
        const float Scale = 0.5f;

        // The norms are constants for the gradient.
        double[] norms = ReferenceDora.AdaptedRowNorms(w.Values, a.Values, b.Values, Scale, 5, 9, 2);
        Tensor y = Tape.Linear(x.Tensor, w.Tensor, bias?.Tensor, new LowRankAdapter(a.Tensor, b.Tensor, Scale, 0, magnitude.Tensor));
        _fixture.Check(y, () =>
        {
            double[] sum = ReferenceElementwise.AddScaled(Plain(x.Values, w.Values, null, 5), Low(x.Values, a.Values, b.Values, 2, 5), Scale);
            double[] scaled = ReferenceDora.ScaleColumns(sum, magnitude.Values, norms);
            return bias is null ? scaled : ReferenceProducts.AddBias(scaled, bias.Values);
        });
    }
}
