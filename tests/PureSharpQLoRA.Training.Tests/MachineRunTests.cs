using System.Globalization;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.PtxMachine;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>
/// The reference run in the CUDA kernels, on the PTX machine: heads of 8 and rows of 172 take the general paths. The first steps always, all of
/// them where PURESHARP_MACHINE_STEPS says how many.
/// </summary>
public sealed class MachineRunTests(ITestOutputHelper output)
{
    private const int StepsByDefault = 1;

    [Theory]
    [InlineData(75, DataType.Float32, 2e-3)]
    [InlineData(75, DataType.Float16, 2e-2)]
    [InlineData(80, DataType.BFloat16, 2e-2)]
    public void Losses_of_the_kernels_follow_the_reference(int computeCapability, DataType activations, double tolerance)
    {
        ReferenceRun run = ReferenceRun.Open("qlora");
        int steps = int.TryParse(Environment.GetEnvironmentVariable("PURESHARP_MACHINE_STEPS"), CultureInfo.InvariantCulture, out int wanted) ? wanted : StepsByDefault;
        using TemporaryFolder folder = TestFiles.NewFolder();
        var device = new PtxMachineDevice(computeCapability, new MachineOptions { CountMemoryTraffic = false, HostThreads = Environment.ProcessorCount });
        using var backend = new IlgpuBackend(device, new CudaOptions { ActivationType = activations });
        using CausalLanguageModel model = run.LoadModel(backend);
        var recorder = new StepRecorder { AfterStep = step => output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"step {step.Step}: loss {step.Loss:F6}, reference {run.Losses[step.Step - 1]:F6}")) };
        using var trainer = new Trainer(model, run.TrainingData(), run.TrainingOptions(folder.Path) with { MaxSteps = steps }, observers: recorder);

        TrainingResult result = trainer.Run(TestContext.Current.CancellationToken);

        Assert.Equal(TrainingEnd.Completed, result.End);
        Assert.Empty(recorder.Skipped);
        Assert.Equal(steps, recorder.Steps.Count);
        Assert.All(recorder.Steps, step => Assert.Equal(run.Losses[step.Step - 1], step.Loss, tolerance));
    }
}
