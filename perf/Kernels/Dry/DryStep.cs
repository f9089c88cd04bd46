using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Kernels.Shapes;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>What a dry training step is of.</summary>
/// <param name="Capability">The card's compute capability.</param>
/// <param name="Batch">Sequences in a micro-batch.</param>
/// <param name="Length">Tokens in each.</param>
/// <param name="Rank">Of the adapters, on all linear layers.</param>
internal sealed record StepSettings(int Capability, int Batch = 2, int Length = 1024, int Rank = 16)
{
    /// <summary>Tokens in a micro-batch.</summary>
    public int Tokens => Batch * Length;
}

/// <summary>What a training step of Llama-3.1-8B asks of a device, and what it takes of its memory, to the byte.</summary>
/// <param name="Settings">The step.</param>
/// <param name="Operations">Every call of the backend, in order.</param>
/// <param name="Kernels">Every kernel that was wanted.</param>
/// <param name="PeakBytes">The most bytes that tensors held at a time.</param>
/// <param name="DevicePeakBytes">The most bytes that the pool had taken from the device, cached blocks included.</param>
/// <param name="PurposePeaks">The most bytes of each purpose.</param>
internal sealed record DryStep(
    StepSettings Settings, IReadOnlyList<Operation> Operations, IReadOnlyList<CompiledKernel> Kernels,
    long PeakBytes, long DevicePeakBytes, IReadOnlyDictionary<MemoryPurpose, long> PurposePeaks)
{
    /// <summary>
    /// Runs the trainer itself, gradient checkpointing on, through the real model and backend on a device that computes nothing. The second of two steps
    /// is recorded: the first prepares weights.
    /// </summary>
    public static DryStep Run(StepSettings settings)
    {
        string folder = Directory.CreateTempSubdirectory("puresharp-dry-").FullName;
        try
        {
            SparseCheckpoint.Write(folder, Llama8B.Description);
            var device = new DryDevice(settings.Capability, multiprocessors: 40, memoryBytes: 16L << 30);
            using var backend = new RecordingBackend(new IlgpuBackend(device));
            device.Launched = backend.Add;
            using Llama8B model = ModelLoader.Load(folder, backend, new LoadOptions(), scope => new Llama8B(scope));
            model.Adapters.Add("default", new LoraOptions { Rank = settings.Rank, Alpha = 2 * settings.Rank }, seed: 42);
            using var trainer = new Trainer(model, Data(settings), new TrainingOptions
            {
                OutputDirectory = folder,
                BatchSize = settings.Batch,
                MaxSteps = 2,
                LearningRate = 1e-4,
                Scheduler = SchedulerType.Constant,
                GradientCheckpointing = true,
            });
            trainer.TrainStep();
            backend.Clear();
            trainer.TrainStep();
            return new DryStep(
                settings, [.. backend.Operations], device.Kernels, backend.Memory.PeakBytes, device.PeakBytes,
                Enum.GetValues<MemoryPurpose>().ToDictionary(purpose => purpose, backend.Memory.PeakBytesFor));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Dataset Data(StepSettings settings)
    {
        var examples = new Example[settings.Batch];
        for (int row = 0; row < examples.Length; row++)
        {
            int[] ids = [.. Enumerable.Range(0, settings.Length).Select(i => (i + row) % Llama8B.Description.VocabularySize)];
            examples[row] = new Example(ids, ids);
        }

        return new Dataset(examples, new DatasetStatistics(examples.Length, settings.Tokens, 0, settings.Length, 0, 0, 0, 0));
    }
}
