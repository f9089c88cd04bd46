using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Testing.ReferenceOps;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>AdamW with moments in 8 bits, against bitsandbytes and against its own fp32 form.</summary>
public sealed class EightBitOptimizerTests
{
    private const int Blocks = 16;
    private const int Count = Blocks * EightBitMoments.BlockSize;

    [Fact]
    public void The_maps_are_those_of_bitsandbytes()
    {
        using SafetensorsFile file = Recorded();
        Assert.Equal(Floats(file, "qmap1"), DynamicMap.Signed.ToArray());
        Assert.Equal(Floats(file, "qmap2"), DynamicMap.Unsigned.ToArray());
    }

    /// <summary>
    /// Ten recorded steps of bitsandbytes' AdamW8bit (rate 1e-3, decay 0.01, betas 0.9 and 0.999), each from the recorded state of the one before, so
    /// that a code that rounds the other way does not spread. Codes are checked to be the nearest: bitsandbytes on the CPU rounds to 16 bits first and
    /// sometimes has the next one.
    /// </summary>
    [Fact]
    public void Ten_steps_of_bitsandbytes_are_repeated()
    {
        using SafetensorsFile file = Recorded();
        using var backend = new CpuBackend(new CpuOptions { Threads = 2 });
        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Optimizer);
        Shape shape = new(Blocks, EightBitMoments.BlockSize), blocks = new(Blocks);
        Tensor parameter = scope.Allocate(shape), gradient = scope.Allocate(shape), control = scope.Allocate(StepControl.Shape);
        Tensor firstCodes = scope.Allocate(shape, DataType.UInt8), secondCodes = scope.Allocate(shape, DataType.UInt8);
        Tensor first = scope.Allocate(blocks), second = scope.Allocate(blocks);
        backend.Upload([1f, 1, 1, -1], control);
        for (int step = 0; step < 10; step++)
        {
            string before = FormattableString.Invariant($".{step - 1}"), now = FormattableString.Invariant($".{step}");
            backend.Upload(Floats(file, step == 0 ? "p0" : "p" + before), parameter);
            backend.Upload(Floats(file, "grad" + now), gradient);
            byte[] codes1 = step == 0 ? new byte[Count] : Bytes(file, "state1" + before), codes2 = step == 0 ? new byte[Count] : Bytes(file, "state2" + before);
            float[] maxima1 = step == 0 ? new float[Blocks] : Floats(file, "absmax1" + before), maxima2 = step == 0 ? new float[Blocks] : Floats(file, "absmax2" + before);
            backend.Upload(codes1, firstCodes);
            backend.Upload(codes2, secondCodes);
            backend.Upload(maxima1, first);
            backend.Upload(maxima2, second);
            var settings = new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.01, step + 1);
            double[] p = Doubles(backend.ToArray(parameter)), m = ReferenceEightBit.Decode(codes1, Doubles(maxima1), DynamicMap.Signed);
            double[] v = ReferenceEightBit.Decode(codes2, Doubles(maxima2), DynamicMap.Unsigned);
            ReferenceAdamW.Step(p, Doubles(Floats(file, "grad" + now)), m, v, settings, 1);

            backend.AdamW8Bit(parameter, gradient, firstCodes, first, secondCodes, second, settings, control);

            float[] expected = Floats(file, "p" + now), actual = backend.ToArray(parameter);
            for (int i = 0; i < Count; i++)
            {
                Assert.Equal(expected[i], actual[i], 1e-6);
            }

            AssertMaxima(Floats(file, "absmax1" + now), backend.ToArray(first));
            AssertMaxima(Floats(file, "absmax2" + now), backend.ToArray(second));
            AssertCodes(m, firstCodes, DynamicMap.Signed);
            AssertCodes(v, secondCodes, DynamicMap.Unsigned);
        }

        void AssertCodes(double[] moments, Tensor codes, ReadOnlySpan<float> map)
        {
            var ours = new byte[Count];
            backend.Download(codes, ours);
            Assert.InRange(ReferenceEightBit.WorstExcess(moments, ours, map), 0, 3e-7);
        }

        static void AssertMaxima(float[] expected, float[] actual) => Assert.All(
            expected.Zip(actual), pair => Assert.True(Math.Abs(pair.Second - pair.First) <= 1.2e-7 * pair.First, $"{pair.Second:R} for {pair.First:R}"));
    }

    [Fact]
    public void Small_tensors_keep_fp32_states_and_large_ones_take_a_quarter()
    {
        using var backend = new CpuBackend(new CpuOptions { Threads = 1 });
        using var scope = new TensorScope(backend.Memory, MemoryPurpose.Weights);
        using TemporaryFolder folder = TestFiles.NewFolder();
        var small = new Parameter("small", scope.Allocate(new Shape(63, 65)), true);
        var large = new Parameter("large", scope.Allocate(new Shape(64, 65)), true);
        TrainingOptions options = TinyRun.Options(folder, 1) with { Optimizer = OptimizerType.AdamW8Bit };
        using (var optimizer = new AdamWOptimizer(backend, [small, large], options))
        {
            Assert.Equal([".exp_avg", ".exp_avg_sq"], optimizer.States[0].Stored.Select(entry => entry.Ending));
            Assert.Equal([".state1", ".absmax1", ".state2", ".absmax2"], optimizer.States[1].Stored.Select(entry => entry.Ending));
            Assert.Equal(2 * (4160 + (4 * 17)), optimizer.States[1].Stored.Sum(entry => entry.Tensor.Bytes));
        }

        Assert.Equal(0, backend.Memory.BytesFor(MemoryPurpose.Optimizer));
    }

    /// <summary>Full fine-tuning, whose tensors are large enough: close to the fp32 run, and the same bits when resumed.</summary>
    [Fact]
    public void A_run_is_close_to_that_with_fp32_moments_and_resumes_with_the_same_bits()
    {
        ReferenceRun reference = ReferenceRun.Open("full_ft");
        using TemporaryFolder folder = TestFiles.NewFolder();
        double[] whole = Train("whole", OptimizerType.AdamW8Bit, null);
        double worst = reference.Losses.Zip(whole, (expected, actual) => Math.Abs(actual - expected)).Max();
        Assert.InRange(worst, 0, 0.02);
        double[] rest = Train("rest", OptimizerType.AdamW8Bit, folder.File("whole", "checkpoint-10"));
        Assert.Equal(whole[10..], rest);
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors", "trainer_state.json"])
        {
            Assert.Equal(File.ReadAllBytes(folder.File("whole", "checkpoint-20", file)), File.ReadAllBytes(folder.File("rest", "checkpoint-20", file)));
        }

        TrainingException error = Assert.Throws<TrainingException>(() => Train("other", OptimizerType.AdamW, folder.File("whole", "checkpoint-10")));
        Assert.Contains("optim was adamw_bnb_8bit, not adamw_torch", error.Message, StringComparison.Ordinal);

        double[] Train(string name, OptimizerType optimizer, string? checkpoint)
        {
            using var backend = new CpuBackend();
            using CausalLanguageModel model = reference.LoadModel(backend);
            var recorder = new StepRecorder();
            TrainingOptions options = reference.TrainingOptions(folder.File(name)) with { Optimizer = optimizer, SaveSteps = 10 };
            using var trainer = new Trainer(model, reference.TrainingData(), options, observers: recorder);
            if (checkpoint is not null)
            {
                trainer.Resume(checkpoint);
            }

            trainer.Run(TestContext.Current.CancellationToken);
            return [.. recorder.Steps.Select(step => step.Loss)];
        }
    }

    private static SafetensorsFile Recorded() =>
        SafetensorsFile.Open(TestFiles.InRepository("tests", "PureSharpQLoRA.Training.Tests", "Data", "adamw8bit.safetensors"));

    private static double[] Doubles(float[] values) => [.. values.Select(value => (double)value)];

    private static float[] Floats(SafetensorsFile file, string name)
    {
        SafetensorsEntry entry = file.Find(name);
        var values = new float[entry.Count];
        file.ReadFloats(entry, 0, values);
        return values;
    }

    private static byte[] Bytes(SafetensorsFile file, string name)
    {
        SafetensorsEntry entry = file.Find(name);
        var values = new byte[entry.Bytes];
        file.ReadBytes(entry, 0, values);
        return values;
    }
}
