using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;
using static PureSharpQLoRA.Testing.ReferenceOps.ReferenceElementwise;

namespace PureSharpQLoRA.Core.Tests.References;

/// <summary>The gradients that backends are held to, against finite differences of the forward operations.</summary>
public sealed class ReferenceGradientTests
{
    private readonly Random _random = new(5);

    [Fact]
    public void Products()
    {
        double[] x = Values(5 * 7), weight = Values(4 * 7), dy = Values(5 * 4);
        double Loss() => Dot(dy, ReferenceProducts.MatMulTransposed(x, weight, 5, 7, 4));
        GradientCheck.AssertGradient(Loss, x, ReferenceProducts.MatMul(dy, weight, 5, 4, 7));
        GradientCheck.AssertGradient(Loss, weight, ReferenceProducts.MatMulGradient(dy, x, 5, 4, 7));
    }

    [Fact]
    public void Bias()
    {
        double[] y = Values(5 * 4), bias = Values(4), dy = Values(5 * 4);
        GradientCheck.AssertGradient(() => Dot(dy, ReferenceProducts.AddBias(y, bias)), bias, ReferenceProducts.SumRows(dy, 4));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void RmsNorm(int groups)
    {
        double[] x = Values(4 * groups * 6), weight = Values(6), dy = Values(x.Length);
        double Loss() => Dot(dy, ReferenceRmsNorm.Forward(x, weight, 1e-2));
        (double[] forX, double[] forWeight) = ReferenceRmsNorm.Backward(x, weight, dy, 1e-2);
        GradientCheck.AssertGradient(Loss, x, forX);
        GradientCheck.AssertGradient(Loss, weight, forWeight);
    }

    [Fact]
    public void Rotary()
    {
        double[] x = Values(5 * 16), dy = Values(x.Length), angles = Values(9 * 4), cosines = [.. angles.Select(Math.Cos)], sines = [.. angles.Select(Math.Sin)];
        int[] positions = [8, 0, 3, 3, 1];
        double Loss() => Dot(dy, ReferenceRotary.Rotate(x, cosines, sines, positions, 8, inverse: false));
        GradientCheck.AssertGradient(Loss, x, ReferenceRotary.Rotate(dy, cosines, sines, positions, 8, inverse: true));
    }

    [Fact]
    public void SwiGlu()
    {
        double[] gate = Values(40, 4), up = Values(40), dy = Values(40);
        double Loss() => Dot(dy, ReferenceSwiGlu.Forward(gate, up));
        (double[] forGate, double[] forUp) = ReferenceSwiGlu.Backward(gate, up, dy);
        GradientCheck.AssertGradient(Loss, gate, forGate);
        GradientCheck.AssertGradient(Loss, up, forUp);
    }

    [Fact]
    public void Embedding()
    {
        double[] table = Values(6 * 5), dy = Values(4 * 5);
        int[] ids = [2, 5, 2, 0];
        GradientCheck.AssertGradient(
            () => Dot(dy, ReferenceEmbedding.Gather(table, ids, 5)), table, ReferenceEmbedding.ScatterAdd(dy, ids, new double[table.Length]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Attention(int window)
    {
        var shape = new AttentionShape(4, 2, 6, 0.7f, window);
        int[] starts = [0, 5, 5, 12];
        double[] query = Values(12 * 24), key = Values(12 * 12), value = Values(12 * 12), dOutput = Values(query.Length);
        double Loss() => Dot(dOutput, ReferenceAttention.Forward(query, key, value, shape, starts).Output);
        (double[] forQuery, double[] forKey, double[] forValue) = ReferenceAttention.Backward(query, key, value, dOutput, shape, starts);
        GradientCheck.AssertGradient(Loss, query, forQuery);
        GradientCheck.AssertGradient(Loss, key, forKey);
        GradientCheck.AssertGradient(Loss, value, forValue);
    }

    [Fact]
    public void CrossEntropy()
    {
        double[] logits = Values(4 * 9, 3);
        int[] labels = [3, -100, 8, 0];
        GradientCheck.AssertGradient(
            () => 0.25 * ReferenceCrossEntropy.Forward(logits, labels).Sum(), logits, ReferenceCrossEntropy.Backward(logits, labels, 0.25));
    }

    [Fact]
    public void Dora_columns()
    {
        double[] x = Values(5 * 4), magnitude = Values(4), norms = [1.5, 0.5, 2, 1], dy = Values(5 * 4);
        double Loss() => Dot(dy, ReferenceDora.ScaleColumns(x, magnitude, norms));
        GradientCheck.AssertGradient(Loss, x, ReferenceDora.ScaleColumns(dy, magnitude, norms));
        GradientCheck.AssertGradient(Loss, magnitude, ReferenceDora.ColumnDots(dy, x, norms));
    }

    [Fact]
    public void Dropout()
    {
        double[] x = Values(60), dy = Values(60);
        GradientCheck.AssertGradient(() => Dot(dy, ReferenceDropout.Dropout(x, 0.4f, 9)), x, ReferenceDropout.Dropout(dy, 0.4f, 9));
    }

    /// <summary>A check that accepts a wrong gradient checks nothing.</summary>
    [Fact]
    public void A_gradient_that_is_slightly_wrong_is_found()
    {
        double[] x = Values(20), weight = Values(20), dy = Values(20);
        double Loss() => Dot(dy, ReferenceRmsNorm.Forward(x, weight, 1e-2));
        double[] wrong = ReferenceRmsNorm.Backward(x, weight, dy, 1e-2).X;
        wrong[3] *= 1.001;
        Assert.ThrowsAny<Exception>(() => GradientCheck.AssertGradient(Loss, x, wrong));
    }

    private double[] Values(int count, double amplitude = 1) => [.. Enumerable.Range(0, count).Select(_ => amplitude * ((2 * _random.NextDouble()) - 1))];
}
