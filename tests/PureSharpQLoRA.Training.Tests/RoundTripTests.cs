using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>A device that runs behind must not be waited for inside a step: results are read after the last update was issued.</summary>
public sealed class RoundTripTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void A_step_reads_the_device_only_when_all_of_it_is_issued(int accumulation)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Watcher? watcher = null;
        TrainingOptions options = TinyRun.Options(folder, 3) with { BatchSize = 2, GradientAccumulationSteps = accumulation };
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder), Options = options, Wrap = inner => watcher = new Watcher(inner),
        });
        for (int step = 0; step < 3; step++)
        {
            watcher!.Calls.Clear();
            run.Trainer.TrainStep();
            int lastUpdate = watcher.Calls.LastIndexOf("AdamW"), firstRead = watcher.Calls.IndexOf("Download");
            Assert.True(lastUpdate >= 0 && firstRead > lastUpdate, string.Join(", ", watcher.Calls));
            Assert.Equal(2, watcher.Calls.Count(call => call == "Download"));
            Assert.Equal(1, watcher.Calls.Count(call => call == "GradientNorm"));
        }
    }

    [Fact]
    public void An_evaluation_reads_the_device_once()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        Watcher? watcher = null;
        using var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder), Options = TinyRun.Options(folder, 3), Wrap = inner => watcher = new Watcher(inner),
        });
        watcher!.Calls.Clear();
        run.Evaluate(TinyRun.Examples(9).Examples);
        Assert.Equal("Download", Assert.Single(watcher.Calls));
    }

    private sealed class Watcher(IBackend inner) : DelegatingBackend(inner)
    {
        public List<string> Calls { get; } = [];

        public override void Download(Tensor from, Span<byte> to)
        {
            Calls.Add("Download");
            base.Download(from, to);
        }

        public override void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control)
        {
            Calls.Add("GradientNorm");
            base.GradientNorm(gradients, lossScale, maxNorm, control);
        }

        public override void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control)
        {
            Calls.Add("AdamW");
            base.AdamW(parameter, gradient, firstMoment, secondMoment, step, control);
        }
    }
}
