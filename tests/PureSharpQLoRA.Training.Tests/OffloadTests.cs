using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Block inputs that wait in the host's memory: the same bits with less memory on the device.</summary>
public sealed class OffloadTests
{
    private const int Steps = 4;
    private const int Layers = 2;

    [Theory]
    [InlineData("lora")]
    [InlineData("dora")]
    [InlineData("full")]
    public void A_run_has_the_same_bits_and_less_memory(string kind)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        (double[] kept, long keptPeak, _, _) = Run(offloading: false);
        (double[] offloaded, long offloadedPeak, long hostPeak, (int ToHost, int FromHost) copies) = Run(offloading: true);

        Assert.Equal(kept, offloaded);
        Assert.True(offloadedPeak < keptPeak, $"{offloadedPeak} bytes of activations with offloading, {keptPeak} without");
        Assert.True(hostPeak > 0);
        Assert.Equal((Layers * Steps, Layers * Steps), copies);

        (double[] Losses, long Peak, long HostPeak, (int ToHost, int FromHost) Copies) Run(bool offloading)
        {
            SeparateHostBackend? backend = null;
            using var run = new TinyRun(new TinySettings
            {
                ModelFolder = model,
                Load = new() { TrainAllWeights = kind == "full", LoadIn4Bit = kind != "full" },
                Lora = kind == "full" ? null : new() { Rank = 4, Alpha = 8, UseDora = kind == "dora" },
                Options = TinyRun.Options(folder, Steps) with { GradientCheckpointing = true, ActivationOffloading = offloading },
                Wrap = inner => backend = new SeparateHostBackend(inner),
            });
            double[] losses = [.. Enumerable.Range(0, Steps).Select(_ => run.Trainer.TrainStep().Loss)];
            Assert.Equal(0, backend!.HostMemory.BytesInUse);
            (int ToHost, int FromHost) copies = backend.Copies;
            return (losses, AfterForward(run), backend.HostMemory.PeakBytes, copies);
        }
    }

    [Fact]
    public void On_the_processor_nothing_is_moved_and_a_device_without_such_memory_says_so()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = TinyRun.NewModel(folder);
        TrainingOptions options = TinyRun.Options(folder, 1) with { GradientCheckpointing = true, ActivationOffloading = true };
        using (var run = new TinyRun(new TinySettings { ModelFolder = model, Options = options }))
        {
            run.Run();
        }

        TrainingException error = Assert.Throws<TrainingException>(() => new TinyRun(new TinySettings { ModelFolder = model, Options = options, Wrap = inner => new OwnMemory(inner) }));
        Assert.Contains("activation_offloading", error.Message, StringComparison.Ordinal);
        Assert.Contains("gradient_checkpointing", Assert.Throws<ArgumentException>((options with { GradientCheckpointing = false }).Validate).Message, StringComparison.Ordinal);
    }

    /// <summary>Bytes of activations between the forward and the backward pass, when most of them wait.</summary>
    private static long AfterForward(TinyRun run)
    {
        var layout = new SequenceLayout();
        int[] starts = [0, 16];
        layout.Set(starts);
        using var scope = new TensorScope(run.Backend.Memory, MemoryPurpose.Workspace);
        Tensor ids = scope.Allocate(new Shape(16), DataType.Int32);
        run.Backend.Upload([.. Enumerable.Range(0, 16)], ids);
        run.Model.Forward(run.Trainer.Tape, ids, layout);
        long bytes = run.Backend.Memory.BytesFor(MemoryPurpose.Activations);
        run.Trainer.Tape.Reset();
        return bytes;
    }

    private sealed class OwnMemory(IBackend inner) : DelegatingBackend(inner)
    {
        public override bool SharesHostMemory => false;
    }
}
