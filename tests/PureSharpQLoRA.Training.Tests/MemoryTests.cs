using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Counts what all threads of the process allocate, so no other test may run beside these.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

[Collection(nameof(Alone))]
public sealed class MemoryTests
{
    public static TheoryData<string, bool> Kinds => new()
    {
        { "lora", false }, { "lora", true }, { "dora", false }, { "dora", true }, { "full", false }, { "full", true },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Steps_allocate_next_to_nothing_once_warm(string kind, bool checkpointing)
    {
        const int Epoch = 6;
        using TemporaryFolder folder = TestFiles.NewFolder();

        // All batches have one size: another one would be a new size of block for the pool.
        int[] ids = [.. Enumerable.Range(0, 16)];
        Dataset data = TinyRun.Of([.. Enumerable.Range(1, 4 * Epoch).Select(stride => Array.ConvertAll(ids, i => i * stride % 48)).Select(row => new Example(row, row))]);
        using var run = new TinyRun(Settings(folder, kind, checkpointing) with { Data = data });
        for (int step = 0; step < 3 * Epoch; step++)
        {
            run.Trainer.TrainStep();
        }

        long device = run.Backend.Memory.BytesInUse + run.Backend.Memory.BytesCached, peak = run.Backend.Memory.PeakBytes;
        for (int step = 0; step < 2 * Epoch; step++)
        {
            long ownBefore = GC.GetAllocatedBytesForCurrentThread(), allBefore = GC.GetTotalAllocatedBytes(precise: true);
            run.Trainer.TrainStep();
            long own = GC.GetAllocatedBytesForCurrentThread() - ownBefore, all = GC.GetTotalAllocatedBytes(precise: true) - allBefore;
            Assert.True(own < 64 << 10 && all < 64 << 10, $"step {step} allocated {own} bytes on its thread, {all} in all");
        }

        Assert.Equal(peak, run.Backend.Memory.PeakBytes);
        Assert.Equal(device, run.Backend.Memory.BytesInUse + run.Backend.Memory.BytesCached);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Everything_is_returned_at_the_end(string kind, bool checkpointing)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        TinySettings settings = Settings(folder, kind, checkpointing);
        var backend = new CpuBackend();
        using (Models.Tiny model = ModelLoader.Load(settings.ModelFolder, backend, settings.Load, scope => new Models.Tiny(scope)))
        {
            if (settings.Lora is { } lora)
            {
                model.Adapters.Add("default", lora, seed: 1);
            }

            // What the first run needed to keep (tables of the rotary embedding, packing buffers) serves the second one.
            Train(model);
            long kept = backend.Memory.BytesInUse;
            Train(model);
            Assert.Equal(kept, backend.Memory.BytesInUse);
            Assert.Equal(0, backend.Memory.BytesFor(MemoryPurpose.Gradients) + backend.Memory.BytesFor(MemoryPurpose.Optimizer));
            Assert.Equal(0, backend.Memory.BytesFor(MemoryPurpose.Activations));
        }

        LeakCheck.DisposeAndAssert(backend);

        void Train(CausalLanguageModel model)
        {
            using var trainer = new Trainer(model, settings.Data, settings.Options, heldOut: TinyRun.Examples(5).Examples);
            trainer.Run(TestContext.Current.CancellationToken);
            trainer.SaveResult();
        }
    }

    private static TinySettings Settings(TemporaryFolder folder, string kind, bool checkpointing) => new()
    {
        ModelFolder = TinyRun.NewModel(folder),
        Load = kind == "full" ? new LoadOptions { LoadIn4Bit = false, TrainAllWeights = true } : new LoadOptions(),
        Lora = kind == "full" ? null : new LoraOptions { Rank = 4, Dropout = kind == "lora" ? 0.1f : 0, UseDora = kind == "dora" },
        Options = TinyRun.Options(folder, 4) with { GradientCheckpointing = checkpointing, NeftuneNoiseAlpha = 5, EvalSteps = 2, SaveSteps = 3 },
    };
}
