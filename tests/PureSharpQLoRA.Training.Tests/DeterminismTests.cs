using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training.Tests.Models;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Tests;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>The same run gives the same bits: again, on other threads, and whatever is computed again in the backward pass.</summary>
public sealed class DeterminismTests
{
    public static TheoryData<string> Kinds => new("lora", "dora", "full");

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_same_run_twice_gives_the_same_bits(string kind) => AssertSame(kind, settings => settings, _ => { });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void One_thread_and_two_give_the_same_bits(string kind) => AssertSame(kind, settings => settings with { Threads = 1 }, _ => { });

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Operations_that_are_divided_among_threads_give_the_same_bits(string kind)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = RandomModel.Write(folder, TestFiles.InRepository("tests", "PureSharpQLoRA.Training.Tests", "Models", "wide.config.json"));
        int[][] rows = [.. Enumerable.Range(1, 5).Select(stride => Enumerable.Range(0, 50 + (11 * stride)).Select(i => i * stride * 37 % 1203).ToArray())];
        TinySettings settings = Settings(path, folder, kind) with { Data = TinyRun.Of([.. rows.Select(row => new Example(row, row))]) };
        (double[] losses, float[][] weights) = RunOn(1);
        foreach (int threads in (ReadOnlySpan<int>)[2, 3])
        {
            (double[] otherLosses, float[][] otherWeights) = RunOn(threads);
            Assert.Equal(losses, otherLosses);
            Assert.Equal(weights, otherWeights);
        }

        (double[], float[][]) RunOn(int threads)
        {
            using var backend = new CpuBackend(new CpuOptions { Threads = threads });
            using Wide model = ModelLoader.Load(path, backend, settings.Load, scope => new Wide(scope));
            if (settings.Lora is { } lora)
            {
                model.Adapters.Add("default", lora, seed: 1);
            }

            using var trainer = new Trainer(model, settings.Data, settings.Options);
            double[] losses = [trainer.TrainStep().Loss, trainer.TrainStep().Loss, trainer.TrainStep().Loss];
            return (losses, [.. model.TrainableParameters.Select(parameter => backend.ToArray(parameter.Value))]);
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Gradient_checkpointing_gives_the_same_bits(string kind)
    {
        AssertSame(kind, settings => settings with { Options = settings.Options with { GradientCheckpointing = true } }, _ => { });
        AssertSame(kind, settings => settings, trainer => trainer.Tape.Recompute = RecomputePolicy.None);
    }

    [Fact]
    public void Another_seed_gives_another_run()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        (double[] losses, _) = Run(Settings(model, folder, "lora"), _ => { });
        TinySettings other = Settings(model, folder, "lora");
        (double[] otherLosses, _) = Run(other with { Options = other.Options with { Seed = 43 } }, _ => { });
        Assert.NotEqual(losses, otherLosses);
    }

    private static void AssertSame(string kind, Func<TinySettings, TinySettings> change, Action<Trainer> prepare)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        (double[] losses, float[][] weights) = Run(Settings(model, folder, kind), _ => { });
        (double[] otherLosses, float[][] otherWeights) = Run(change(Settings(model, folder, kind)), prepare);
        Assert.Equal(5, losses.Length);
        Assert.Equal(losses, otherLosses);
        Assert.Equal(weights, otherWeights);
        Assert.True(losses.Distinct().Count() == 5, "the run does not move");
    }

    private static (double[] Losses, float[][] Weights) Run(TinySettings settings, Action<Trainer> prepare)
    {
        using var run = new TinyRun(settings);
        prepare(run.Trainer);
        run.Run();
        return (run.Losses, [.. run.Model.TrainableParameters.Select(parameter => run.Backend.ToArray(parameter.Value))]);
    }

    private static TinySettings Settings(string model, TemporaryFolder folder, string kind) => new()
    {
        ModelFolder = model,
        Load = kind == "full" ? new LoadOptions { LoadIn4Bit = false, TrainAllWeights = true } : new LoadOptions(),
        Lora = kind == "full" ? null : new LoraOptions { Rank = 4, Alpha = 8, Dropout = kind == "dora" ? 0 : 0.1f, UseDora = kind == "dora" },
        Options = TinyRun.Options(folder, 5) with { GradientAccumulationSteps = 2, NeftuneNoiseAlpha = 5, WeightDecay = 0.01 },
    };
}
