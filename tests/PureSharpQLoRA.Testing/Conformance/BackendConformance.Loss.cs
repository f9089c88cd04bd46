using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(7, 17)]
    [InlineData(129, 512)]
    [InlineData(33, 1000)]
    [InlineData(5, 32000)]
    public void CrossEntropy_and_its_gradient(int tokens, int vocabulary)
    {
        SkipIfTooLarge((long)tokens * vocabulary);
        foreach (double amplitude in new[] { 0.5, 8, 100 })
        {
            double[] logits = RandomValues((long)tokens * vocabulary, amplitude);
            int[] labels = RandomIds(tokens, vocabulary);
            for (int token = 1; token < tokens; token += 3)
            {
                labels[token] = token % 2 == 0 ? -1 : -100;
            }

            CheckCrossEntropy(logits, labels, 0.125f, $"[{tokens}, {vocabulary}], logits to {amplitude}");
        }
    }

    [Fact]
    public void CrossEntropy_where_all_labels_are_ignored_is_zero()
    {
        double[] logits = RandomValues(3 * 50);
        GuardedOutput tensor = Output(new Shape(3, 50), logits), losses = Output(new Shape(3, 1));
        Backend.CrossEntropy(tensor.Tensor, [-100, -1, int.MinValue], losses.Tensor, 1);
        Assert.All(losses.Read(), loss => Assert.Equal(0, loss));
        Assert.All(tensor.Read(), gradient => Assert.Equal(0, gradient));
    }

    /// <summary>Logits in the thousands, and rows that are the same everywhere.</summary>
    [Fact]
    public void CrossEntropy_of_extreme_rows()
    {
        double[] logits = RandomValues(4 * 33);
        for (int i = 0; i < 33; i++)
        {
            logits[i] += 5000;
            logits[33 + i] -= 5000;
            logits[66 + i] = 3;
            logits[99 + i] = i == 32 ? 600 : -600;
        }

        // What an fp32 logit of 5000 can hold.
        logits = [.. logits.Select(value => (double)(float)value)];
        CheckCrossEntropy(logits, [5, 6, 7, 8], 1, $"extreme rows");
    }

    [Fact]
    public void A_label_outside_the_vocabulary_is_refused()
    {
        Tensor logits = Random(2, 50).Tensor, losses = Output(new Shape(2, 1)).Tensor;
        Assert.Throws<ArgumentOutOfRangeException>(() => Backend.CrossEntropy(logits, [49, 50], losses, 1));
        Assert.Throws<ShapeException>(() => Backend.CrossEntropy(logits, [49], losses, 1));
    }

    private void CheckCrossEntropy(double[] logits, int[] labels, float scale, FormattableString what)
    {
        var shape = new Shape(labels.Length, logits.Length / labels.Length);
        double[] exact = ReferenceCrossEntropy.Forward(logits, labels);

        GuardedOutput tensor = Output(shape, logits), losses = Output(new Shape(labels.Length, 1));
        Backend.CrossEntropy(tensor.Tensor, labels, losses.Tensor, 0);
        CheckLosses(losses.Read());
        Assert.Equal(logits, tensor.Read());

        losses = Output(new Shape(labels.Length, 1));
        Backend.CrossEntropy(tensor.Tensor, labels, losses.Tensor, scale);
        CheckLosses(losses.Read());
        double[] gradient = ReferenceCrossEntropy.Backward(logits, labels, scale);
        tensor.AssertClose(gradient, Bounds.LossGradient, $"gradient, {what}");
        Scope.Reset();

        void CheckLosses(double[] actual)
        {
            for (int token = 0; token < exact.Length; token++)
            {
                Accuracy.AssertClose(exact[token], actual[token], Bounds.Loss, $"loss {token}, {what}");
            }
        }
    }
}
