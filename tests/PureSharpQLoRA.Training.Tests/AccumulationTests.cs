using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>A step's loss and gradient are means over all its targets, however it is cut into micro-batches.</summary>
public sealed class AccumulationTests
{
    [Theory]
    [InlineData(8, 2, 4, 8)]
    [InlineData(8, 1, 8, 8)]
    [InlineData(7, 2, 4, 7)]
    [InlineData(10, 2, 3, 6)]
    public void Micro_batches_give_what_one_batch_gives(int examples, int batch, int accumulation, int whole)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        Dataset data = TinyRun.Examples(examples, masked: true);
        using var parts = new TinyRun(Settings(model, folder, data, batch, accumulation));
        using var one = new TinyRun(Settings(model, folder, data, whole, 1));
        for (int step = 0; step < 4; step++)
        {
            StepProgress expected = one.Trainer.TrainStep(), actual = parts.Trainer.TrainStep();
            Assert.Equal(expected.Loss, actual.Loss, 1e-6);
            Assert.Equal(expected.GradientNorm, actual.GradientNorm, 1e-5 * expected.GradientNorm);
            Assert.Equal(expected.Tokens, actual.Tokens);
            Assert.Equal(expected.Epoch, actual.Epoch);
            foreach ((Transformers.Parameter first, Transformers.Parameter second) in one.Model.TrainableParameters.Zip(parts.Model.TrainableParameters))
            {
                double[] exact = Array.ConvertAll(one.Backend.ToArray(first.Value.Gradient!), value => (double)value);
                double[] summed = Array.ConvertAll(parts.Backend.ToArray(second.Value.Gradient!), value => (double)value);
                Assert.True(exact.Any(value => value != 0) || first.Name.Contains("lora_A", StringComparison.Ordinal), $"{first.Name} has no gradient");
                Accuracy.AssertClose(exact, summed, 2e-5, $"{first.Name}");
            }
        }
    }

    [Fact]
    public void The_loss_of_a_step_is_the_mean_over_its_targets_and_not_a_mean_of_means()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Dataset data = TinyRun.Examples(6, masked: true);
        using var run = new TinyRun(Settings(TinyRun.NewModel(folder), folder, data, 1, 6));
        double expected = run.Evaluate(data.Examples);
        double meanOfMeans = data.Examples.Average(example => run.Evaluate([example]));
        Assert.Equal(expected, run.Trainer.TrainStep().Loss, 1e-6);
        Assert.True(Math.Abs(expected - meanOfMeans) > 1e-3, "the examples do not tell the two apart");
    }

    [Fact]
    public void A_micro_batch_without_targets_adds_nothing()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        Example learnt = TinyRun.Examples(1).Examples[0];
        var ignored = new Example(learnt.Ids, [.. learnt.Ids.Select(_ => Example.Ignored)]);
        using var one = new TinyRun(Settings(model, folder, TinyRun.Of(learnt), 1, 1));
        using var two = new TinyRun(Settings(model, folder, TinyRun.Of(ignored, learnt), 1, 2));
        for (int step = 0; step < 3; step++)
        {
            StepProgress expected = one.Trainer.TrainStep(), actual = two.Trainer.TrainStep();
            Assert.Equal((expected.Loss, expected.GradientNorm), (actual.Loss, actual.GradientNorm));
        }
    }

    private static TinySettings Settings(string model, TemporaryFolder folder, Dataset data, int batch, int accumulation) => new()
    {
        ModelFolder = model,
        Data = data,
        Options = TinyRun.Options(folder, 4) with
        {
            BatchSize = batch,
            GradientAccumulationSteps = accumulation,
            Shuffle = false,

            // Small, so that rounding does not grow through AdamW's quotient of moments.
            LearningRate = 1e-5,
        },
    };
}
