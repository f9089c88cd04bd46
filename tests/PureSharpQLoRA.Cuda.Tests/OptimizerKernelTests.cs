using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Cuda.Tests;

public sealed class OptimizerKernelTests
{
    private static readonly AdamWStep Step = new(1e-2, 0.9, 0.999, 1e-8, 0.1, 3);

    /// <summary>Reads 16 bytes and writes 12 for each parameter; three parameters that fill no quad have a launch of their own.</summary>
    [Theory]
    [InlineData(75, 8192, "Quads")]
    [InlineData(80, 8195, "Elements")]
    public void AdamW_touches_every_tensor_once(int architecture, int count, string last)
    {
        using var log = new LaunchLog(architecture);
        float[] p = Random(count, 1), g = Random(count, 2), m = Random(count, 3), v = [.. Random(count, 4).Select(MathF.Abs)];
        double[] exact = Doubles(p), first = Doubles(m), second = Doubles(v);
        ReferenceAdamW.Step(exact, Doubles(g), first, second, Step, 0.5f);
        Tensor parameter = log.Upload(new Shape(count), p), firstMoment = log.Upload(new Shape(count), m), secondMoment = log.Upload(new Shape(count), v);
        Tensor gradient = log.Upload(new Shape(count), g), control = log.Upload(StepControl.Shape, [1, 0.5f, 1, -1]);

        log.Backend.AdamW(parameter, gradient, firstMoment, secondMoment, Step, control);

        Assert.Equal(count % 4 == 0 ? 1 : 2, log.Launches.Count);
        Assert.Equal(last, log.Launches[^1].Key.Method);
        log.Launches.RemoveRange(1, log.Launches.Count - 1);
        log.AssertTraffic("Quads", 28L * (count / 4 * 4));
        Accuracy.AssertClose(exact, Doubles(log.Backend.ToArray(parameter)), 1e-6, $"parameter");
        Accuracy.AssertClose(first, Doubles(log.Backend.ToArray(firstMoment)), 1e-6, $"first moment");
        Accuracy.AssertClose(second, Doubles(log.Backend.ToArray(secondMoment)), 1e-6, $"second moment");
    }

    /// <summary>Hundreds of tensors take two launches, and each element is read once.</summary>
    [Theory]
    [InlineData(75)]
    [InlineData(80)]
    public void A_norm_over_many_tensors_takes_two_launches(int architecture)
    {
        using var log = new LaunchLog(architecture);
        int[] counts = [.. Enumerable.Range(0, 200).Select(i => 1 + (i * 7 % 40)), 40_000, 65_536];
        float[][] values = [.. counts.Select(count => Random(count, count))];
        Tensor[] gradients = [.. values.Select(value => log.Upload(new Shape(value.Length), value))];
        Tensor control = log.Scope.Allocate(StepControl.Shape);

        log.Backend.GradientNorm(gradients, 4, 0.5f, control);

        Assert.Equal(["Pieces", "Finish"], log.Launches.Select(launch => launch.Key.Method));
        StepControl found = StepControl.Read(log.Backend, control);
        double norm = Math.Sqrt(values.Sum(value => ReferenceElementwise.SumOfSquares(Doubles(value)))) / 4;
        Assert.Equal(norm, found.Norm, norm * 1e-7);
        Assert.Equal(0.5 / (norm + 1e-6) / 4, found.Factor, 1e-7 * found.Factor);

        // The large ones alone: the traffic of what a real model has.
        log.Backend.GradientNorm(gradients.AsSpan(200), 1, 0, control);
        log.Launches.RemoveAt(log.Launches.Count - 1);
        log.AssertTraffic("Pieces", 4L * (40_000 + 65_536));
    }

    /// <summary>Slices of a tensor begin at any multiple of four bytes.</summary>
    [Fact]
    public void Slices_at_any_address_take_the_general_path()
    {
        using var log = new LaunchLog(75);
        Tensor whole = log.Upload(new Shape(100, 5), Random(500, 1)), moments = log.Upload(new Shape(100, 5), new float[500]);
        Tensor parameter = log.Scope.Rows(whole, 1, 50), first = log.Scope.Rows(moments, 1, 49), control = log.Scope.Allocate(StepControl.Shape);
        log.Backend.GradientNorm([parameter, first], 1, 0, control);
        double norm = Math.Sqrt(ReferenceElementwise.SumOfSquares(Doubles(log.Backend.ToArray(parameter))));
        Assert.Equal(norm, StepControl.Read(log.Backend, control).Norm, norm * 1e-7);

        float[] before = log.Backend.ToArray(whole);
        Tensor gradient = log.Scope.Rows(log.Upload(new Shape(100, 5), Random(500, 2)), 3, 50), second = log.Scope.Rows(log.Upload(new Shape(100, 5), new float[500]), 2, 50);
        log.Backend.AdamW(parameter, gradient, log.Scope.Rows(moments, 1, 50), second, Step, control);
        Assert.Equal("Elements", log.Launches[^1].Key.Method);
        float[] after = log.Backend.ToArray(whole);
        Assert.Equal(before[..5], after[..5]);
        Assert.Equal(before[255..], after[255..]);
        Assert.DoesNotContain(Enumerable.Range(5, 250), i => before[i] == after[i]);
    }

    private static float[] Random(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)((2 * random.NextDouble()) - 1))];
    }

    private static double[] Doubles(float[] values) => [.. values.Select(value => (double)value)];
}
