using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Kernels.Shapes;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>Llama-3.1-8B in NF4 on a device that computes nothing, through the real loader, layers, trainer and backend.</summary>
internal sealed class DryModel : IDisposable
{
    private const string AdapterName = "default";

    private readonly string _folder = Directory.CreateTempSubdirectory("puresharp-dry-").FullName;
    private readonly DryDevice _device;
    private readonly RecordingBackend _backend;
    private readonly Llama8B _model;

    /// <summary>Loads the model.</summary>
    /// <param name="capability">The card's compute capability, which decides the kernels and the activation type.</param>
    public DryModel(int capability)
    {
        SparseCheckpoint.Write(_folder, Llama8B.Description);
        _device = new DryDevice(capability, multiprocessors: 40, memoryBytes: 16L << 30);
        _backend = new RecordingBackend(new IlgpuBackend(_device));
        _device.Launched = _backend.Add;
        _model = ModelLoader.Load(_folder, _backend, new LoadOptions(), scope => new Llama8B(scope));
    }

    /// <summary>
    /// Trains two steps with gradient checkpointing and records the second: the first prepares weights. Peaks are those of both, without loading.
    /// </summary>
    public DryStep Run(StepSettings settings)
    {
        _model.Adapters.Add(AdapterName, new LoraOptions { Rank = settings.Rank, Alpha = 2 * settings.Rank }, seed: 42);
        _backend.Memory.Trim();
        _backend.Memory.ResetPeaks();
        _device.PeakBytes = _device.Bytes;
        try
        {
            using (var trainer = new Trainer(_model, Data(settings), new TrainingOptions
            {
                OutputDirectory = _folder,
                BatchSize = settings.Batch,
                MaxSteps = 2,
                LearningRate = 1e-4,
                Scheduler = SchedulerType.Constant,
                Optimizer = settings.EightBitOptimizer ? OptimizerType.AdamW8Bit : OptimizerType.AdamW,
                GradientCheckpointing = true,
                ActivationOffloading = settings.Offloading,
            }))
            {
                trainer.TrainStep();
                _backend.Clear();
                trainer.TrainStep();
            }

            return new DryStep(
                settings, [.. _backend.Operations], [.. _device.Kernels], _backend.Memory.PeakBytes, _device.PeakBytes,
                Enum.GetValues<MemoryPurpose>().ToDictionary(purpose => purpose, _backend.Memory.PeakBytesFor));
        }
        finally
        {
            _model.Adapters.Remove(AdapterName);
        }
    }

    /// <summary>The most tokens, in steps of 256, with which a step at batch 1 gets through on a device of so many bytes.</summary>
    public int LongestContext(int rank, long bytes, bool offloading)
    {
        const int Granule = 256;
        int fits = 1, end = Llama8B.Description.MaxPositions / Granule;
        while (end - fits > 1)
        {
            int middle = (fits + end) / 2;
            if (Fits(middle * Granule, rank, bytes, offloading))
            {
                fits = middle;
            }
            else
            {
                end = middle;
            }
        }

        return fits * Granule;
    }

    /// <summary>Whether a step of one text gets through on a device of so many bytes.</summary>
    public bool Fits(int tokens, int rank, long bytes, bool offloading)
    {
        _device.Capacity = bytes;
        try
        {
            Run(new StepSettings(_device.Properties.ComputeCapability, Batch: 1, tokens, rank, Offloading: offloading));
            return true;
        }
        catch (DeviceMemoryException)
        {
            return false;
        }
        finally
        {
            _device.Capacity = long.MaxValue;
        }
    }

    public void Dispose()
    {
        _model.Dispose();
        _backend.Dispose();
        Directory.Delete(_folder, recursive: true);
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
