using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests;

public sealed class CrossEntropyKernelTests
{
    /// <summary>A row is read twice and its gradient written once; an ignored row is only written.</summary>
    [Theory]
    [InlineData(75, 8192)]
    [InlineData(80, 8192)]
    [InlineData(75, 8191)]
    [InlineData(80, 50257)]
    public void Logits_are_read_twice_and_written_once(int architecture, int vocabulary)
    {
        using var log = new LaunchLog(architecture);
        var random = new Random(vocabulary);
        int[] labels = [3, -100, vocabulary - 1];
        float[] values = [.. Enumerable.Range(0, labels.Length * vocabulary).Select(_ => (float)(random.NextDouble() - 0.5) * 20)];
        double[] logits = [.. values.Select(value => (double)value)];
        Tensor tensor = log.Upload(new Shape(labels.Length, vocabulary), values), losses = log.Scope.Allocate(new Shape(labels.Length, 1));

        log.Backend.CrossEntropy(tensor, labels, losses, 0.25f);

        // Unaligned rows need a sector more at either end of every warp's access.
        log.AssertTraffic("Rows", 4L * vocabulary * (1 + (3 * 2)), vocabulary % 4 == 0 ? 1.02 : 1.25, vocabulary % 4 == 0 ? 0.99 : 0.8);
        Accuracy.AssertClose(ReferenceCrossEntropy.Backward(logits, labels, 0.25f), [.. log.Backend.ToArray(tensor).Select(v => (double)v)], 1e-6, $"gradient");
        Accuracy.AssertClose(ReferenceCrossEntropy.Forward(logits, labels), [.. log.Backend.ToArray(losses).Select(v => (double)v)], 5e-7, $"losses");
    }

    /// <summary>An infinite logit is what an overflow upstream leaves; it must reach the gradient, so that the step is skipped.</summary>
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_logit_that_is_not_finite_reaches_the_loss_and_the_gradient(float bad)
    {
        using var log = new LaunchLog(75);
        foreach (int place in new[] { 0, 700, 1023 })
        {
            var values = new float[2048];
            values[place] = bad;
            Tensor tensor = log.Upload(new Shape(2, 1024), values), losses = log.Scope.Allocate(new Shape(2, 1));
            log.Backend.CrossEntropy(tensor, [5, 5], losses, 1);
            Assert.False(float.IsFinite(log.Backend.ToArray(losses)[0]));
            Assert.Equal(Math.Log(1024), log.Backend.ToArray(losses)[1], 1e-5);
            Assert.Contains(log.Backend.ToArray(tensor)[..1024], gradient => !float.IsFinite(gradient));
            Assert.DoesNotContain(log.Backend.ToArray(tensor)[1024..], gradient => !float.IsFinite(gradient));
        }
    }
}
