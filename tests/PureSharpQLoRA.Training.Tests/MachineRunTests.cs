using System.Globalization;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Testing;
using PureSharpQLoRA.PtxMachine;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Tests;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>
/// The reference run in the CUDA kernels, on the PTX machine: heads of 8 and rows of 172 take the general paths. The first steps always, all of
/// them where PURESHARP_MACHINE_STEPS says how many.
/// </summary>
public sealed class MachineRunTests(ITestOutputHelper output)
{
    private const int StepsByDefault = 1;
    private const float FirstLossScale = 65536;

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

    /// <summary>A whole step whose products and attention go through the tensor cores: NF4 base, adapters everywhere, packed documents, checkpointing.</summary>
    [Theory]
    [InlineData(75, DataType.Float16, 1e-2)]
    [InlineData(80, DataType.Float16, 1e-2)]
    [InlineData(80, DataType.BFloat16, 5e-2)]
    public void A_step_on_tensor_cores_follows_the_processor(int computeCapability, DataType activations, double tolerance)
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string model = RandomModel.Write(folder, TestFiles.InRepository("tests", "PureSharpQLoRA.Training.Tests", "Models", "tensor-core.config.json"));
        var launched = new HashSet<string>(StringComparer.Ordinal);
        var device = new PtxMachineDevice(computeCapability, new MachineOptions { CountMemoryTraffic = false, HostThreads = Environment.ProcessorCount })
        {
            Launched = (kernel, _, _) => launched.Add(kernel.Key.Name),
        };
        using var card = new IlgpuBackend(device, new CudaOptions { ActivationType = activations });
        using var processor = new CpuBackend();

        (double expectedLoss, Dictionary<string, float[]> expected) = Step(processor);
        (double loss, Dictionary<string, float[]> actual) = Step(card);

        Assert.Equal(expectedLoss, loss, tolerance);
        Assert.Equal(28, actual.Count);
        Assert.All(actual, gradient => Assert.True(
            Distance(gradient.Value, expected[gradient.Key]) <= tolerance * 2, $"{gradient.Key}: {Distance(gradient.Value, expected[gradient.Key]):E2}"));
        string[] kinds = ["Nf4Product", "AttentionForward", "AttentionBackwardQuery", "AttentionBackwardKeyValue", "TensorProduct"];
        Assert.All(kinds, kind => Assert.Contains(launched, name => name.StartsWith(kind, StringComparison.Ordinal)));
        Assert.DoesNotContain(launched, name => name.StartsWith("GeneralProduct", StringComparison.Ordinal) || name.StartsWith("GeneralAttention", StringComparison.Ordinal));

        (double Loss, Dictionary<string, float[]> Gradients) Step(IBackend backend)
        {
            using Models.TensorCore loaded = ModelLoader.Load(model, backend, new LoadOptions(), scope => new Models.TensorCore(scope));
            loaded.Adapters.Add("default", new LoraOptions { Rank = 8, Alpha = 16 }, seed: 5);
            foreach (Parameter parameter in loaded.TrainableParameters)
            {
                // B begins as zeros, and with it half of the gradients.
                float[] values = [.. Enumerable.Range(0, (int)parameter.Value.Shape.Count).Select(i => 0.05f * Philox.Normal(Philox.Mix(7, parameter.Name), (ulong)i))];
                backend.Upload(values, parameter.Value);
            }

            var recorder = new StepRecorder();
            using var trainer = new Trainer(
                loaded, TinyRun.Examples(24), TinyRun.Options(folder, 1) with { BatchSize = 2, GradientCheckpointing = true, LearningRate = 0 }, packedLength: 64, observers: recorder);
            double loss = trainer.TrainStep().Loss;
            Assert.Empty(recorder.Skipped);
            float scale = backend.ActivationType == DataType.Float16 ? FirstLossScale : 1;
            return (loss, loaded.TrainableParameters.ToDictionary(
                parameter => parameter.Name, parameter => Array.ConvertAll(backend.ToArray(parameter.Value.Gradient!), value => value / scale)));
        }
    }

    private static double Distance(float[] actual, float[] expected)
    {
        double difference = actual.Zip(expected, (a, e) => Math.Pow((double)a - e, 2)).Sum(), norm = expected.Sum(e => Math.Pow(e, 2));
        return Math.Sqrt(difference / norm);
    }
}
