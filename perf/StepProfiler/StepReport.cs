using System.Diagnostics;
using System.Globalization;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Cuda;
using PureSharpQLoRA.Cuda.Devices;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Training;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.StepProfiler;

/// <summary>How to measure.</summary>
internal sealed record StepSettings(bool OnCard, string? Compute, int Threads, int Steps, int Rank, bool Checkpointing, string? ModelFolder);

/// <summary>Runs training steps and prints where their time goes.</summary>
internal static class StepReport
{
    public static void Run(ModelShape shape, StepSettings settings, TextWriter to)
    {
        string folder = settings.ModelFolder ?? Directory.CreateTempSubdirectory("puresharp-profile-").FullName;
        try
        {
            if (settings.ModelFolder is null)
            {
                shape.WriteWeights(folder);
            }

            Measure(shape, settings, folder, to);
        }
        finally
        {
            if (settings.ModelFolder is null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static void Measure(ModelShape shape, StepSettings settings, string folder, TextWriter to)
    {
        CudaDevice? card = settings.OnCard ? CudaDevices.Find().Open() : null;
        using var backend = new ProfilingBackend(CreateBackend(settings, card));
        long start = Stopwatch.GetTimestamp();
        using CausalLanguageModel model = shape.Load(folder, backend, new LoadOptions());
        model.Adapters.Add("default", new LoraOptions { Rank = settings.Rank, Alpha = 2 * settings.Rank }, seed: 42);

        // What making and quantising the weights left in the managed heap is not the step's memory.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        double loading = Stopwatch.GetElapsedTime(start).TotalSeconds;
        using var trainer = new Trainer(model, Data(shape), new TrainingOptions
        {
            OutputDirectory = folder,
            BatchSize = shape.Batch,
            MaxSteps = (2 * settings.Steps) + 2,
            LearningRate = 1e-4,
            Scheduler = SchedulerType.Constant,
            GradientCheckpointing = settings.Checkpointing,
        });
        double first = trainer.TrainStep().Seconds;
        backend.Clear();
        var seconds = new double[settings.Steps];
        var peaks = new double[settings.Steps];
        long allocated = 0;
        for (int step = 0; step < settings.Steps; step++)
        {
            // The processor's clock wanders: the peak is measured beside each step, and medians are compared.
            peaks[step] = backend.Inner is CpuBackend cpu ? PeakMeter.MeasureGigaflops(cpu.Threads) : 0;
            long before = GC.GetTotalAllocatedBytes(precise: true);
            seconds[step] = trainer.TrainStep().Seconds;
            allocated += GC.GetTotalAllocatedBytes(precise: true) - before;
        }

        // A card works behind the host: its operations are timed one by one above, and whole steps without that here.
        backend.IsTiming = false;
        double[] untimed = card is null ? seconds : [.. Enumerable.Range(0, settings.Steps).Select(_ => trainer.TrainStep().Seconds)];
        allocated /= settings.Steps;
        double peak = Median(peaks);
        Print(shape, settings, backend, seconds, untimed, peak, loading, first, allocated, to);
        if (card is not null)
        {
            card.StartTiming();
            double step = trainer.TrainStep().Seconds;
            PrintKernels(card.StopTiming(), step, to);
        }
    }

    private static IBackend CreateBackend(StepSettings settings, CudaDevice? card) => card is null
        ? new CpuBackend(new CpuOptions { Threads = settings.Threads, ComputeType = settings.Compute == "bf16" ? DataType.BFloat16 : DataType.Float32 })
        : new IlgpuBackend(card, new CudaOptions
        {
            ActivationType = settings.Compute switch { "fp32" => DataType.Float32, "fp16" => DataType.Float16, "bf16" => DataType.BFloat16, _ => null },
        });

    private static void PrintKernels(IReadOnlyList<KernelTime> kernels, double seconds, TextWriter to)
    {
        to.WriteLine();
        to.WriteLine("| kernel | ms a step | share | launches |");
        to.WriteLine("| --- | ---: | ---: | ---: |");
        foreach (KernelTime kernel in kernels)
        {
            to.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {kernel.Kernel} | {kernel.Milliseconds:F2} | {0.1 * kernel.Milliseconds / seconds:F1} % | {kernel.Launches} |"));
        }
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    private static Dataset Data(ModelShape shape)
    {
        var examples = new Example[shape.Batch];
        for (int row = 0; row < examples.Length; row++)
        {
            var ids = new int[shape.Length];
            for (int i = 0; i < ids.Length; i++)
            {
                ids[i] = (int)(Philox.Bits((ulong)row, (ulong)i) % (ulong)shape.Sizes.VocabularySize);
            }

            examples[row] = new Example(ids, ids);
        }

        return new Dataset(examples, new DatasetStatistics(examples.Length, examples.Length * shape.Length, 0, shape.Length, 0, 0, 0, 0));
    }

    private static void Print(
        ModelShape shape, StepSettings settings, ProfilingBackend backend, double[] seconds, double[] untimed, double peak, double loading, double first, long allocated, TextWriter to)
    {
        double total = seconds.Sum(), best = untimed.Min(), median = Median(untimed);
        double tokens = shape.Batch * shape.Length;
        using Process process = Process.GetCurrentProcess();
        string Line(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
        to.WriteLine(Line($"{shape.Name}, batch {shape.Batch} x {shape.Length}, r {settings.Rank} on all linears, {backend.Name}"));
        to.WriteLine();
        to.WriteLine("| operation | ms a step | share | GFLOP/s | calls |");
        to.WriteLine("| --- | ---: | ---: | ---: | ---: |");
        double measured = 0;
        foreach ((string name, OperationTotal operation) in backend.Totals.OrderByDescending(entry => entry.Value.Seconds))
        {
            measured += operation.Seconds;
            to.WriteLine(Line(
                $"| {name} | {1e3 * operation.Seconds / seconds.Length:F1} | {100 * operation.Seconds / total:F1} % | {operation.Flops / operation.Seconds / 1e9:F0} | {operation.Calls / seconds.Length} |"));
        }

        to.WriteLine(Line($"| everything else | {1e3 * (total - measured) / seconds.Length:F1} | {100 * (total - measured) / total:F1} % | | |"));
        to.WriteLine();
        to.WriteLine(Line($"step: median {1e3 * median:F0} ms, best {1e3 * best:F0} ms"));
        to.WriteLine(Line($"tokens/s: median {tokens / median:F1}, best {tokens / best:F1}"));
        if (peak > 0)
        {
            to.WriteLine(Line($"fp32 FMA peak beside the steps: median {peak:F0} GFLOP/s; tokens/s per GFLOP/s, median by median: {tokens / median / peak:F3}"));
        }

        to.WriteLine(Line($"peak memory: {process.PeakWorkingSet64 / 1e6:F0} MB of the process; tensors {backend.Memory.PeakBytes / 1e6:F0} MB"));
        foreach (MemoryPurpose purpose in Enum.GetValues<MemoryPurpose>())
        {
            to.WriteLine(Line($"  {purpose}: {backend.Memory.PeakBytesFor(purpose) / 1e6:F0} MB"));
        }

        to.WriteLine(Line($"loading {loading:F1} s, first step {first:F1} s; managed allocations {allocated} bytes a step"));
    }
}
