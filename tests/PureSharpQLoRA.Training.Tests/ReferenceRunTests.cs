using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Training.Tests;

/// <summary>Every reference run, repeated step by step from the same initial adapter on the same data.</summary>
public sealed class ReferenceRunTests
{
    private const double Tolerance = 2e-4;

    public static TheoryData<string> Runs => new(
        "qlora", "qlora_dq", "lora_fp32", "full_ft", "qlora_ga2", "qlora_masked_ga2", "qlora_wd", "qlora_cosine", "qlora_clip",
        "qlora_clip_tight", "qlora_ga2_wd_cosine_clip", "qlora_qv_only_r4", "rslora", "dora", "neftune");

    [Theory]
    [MemberData(nameof(Runs))]
    public void Losses_of_every_step_and_of_held_out_text_match(string name)
    {
        ReferenceRun run = ReferenceRun.Open(name);
        using TemporaryFolder folder = TestFiles.NewFolder();
        using IBackend cpu = new CpuBackend();
        using IBackend backend = name == "neftune" ? new RecordedNoiseBackend(cpu, Path.Combine(run.Folder, "noise.safetensors")) : cpu;
        using CausalLanguageModel model = run.LoadModel(backend);
        var recorder = new StepRecorder();
        using var trainer = new Trainer(model, run.TrainingData(), run.TrainingOptions(folder.Path), observers: recorder);
        Assert.Equal(run.HeldOutBefore, Evaluator.Evaluate(model, trainer.Tape, ReferenceRun.HeldOut(), 4, TestContext.Current.CancellationToken).Loss, Tolerance);

        TrainingResult result = trainer.Run(TestContext.Current.CancellationToken);

        Assert.Equal(TrainingEnd.Completed, result.End);
        for (int step = 0; step < run.Losses.Length; step++)
        {
            Assert.Equal(run.Losses[step], recorder.Steps[step].Loss, Tolerance);
            Assert.Equal(run.LearningRates[step], recorder.Steps[step].LearningRate, 1e-9);
            Assert.Equal(run.GradientNorms[step], recorder.Steps[step].GradientNorm, 1e-3 * run.GradientNorms[step]);
        }

        Assert.Equal(run.HeldOutAfter, Evaluator.Evaluate(model, trainer.Tape, ReferenceRun.HeldOut(), 4, TestContext.Current.CancellationToken).Loss, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void The_final_adapter_of_PEFT_evaluates_to_the_same_loss(string name)
    {
        ReferenceRun run = ReferenceRun.Open(name);
        if (run.IsFull)
        {
            Assert.Skip("Full fine-tuning has no adapter.");
        }

        using var backend = new CpuBackend();
        using CausalLanguageModel model = run.LoadModel(backend);
        model.Adapters.Load("final", Path.Combine(run.Folder, "peft_final"));
        using var tape = new Tape(backend);
        Assert.Equal(run.HeldOutAfter, Evaluator.Evaluate(model, tape, ReferenceRun.HeldOut(), 4, TestContext.Current.CancellationToken).Loss, Tolerance);

        model.Adapters.Activate("default");
        Assert.Equal(run.HeldOutBefore, Evaluator.Evaluate(model, tape, ReferenceRun.HeldOut(), 4, TestContext.Current.CancellationToken).Loss, Tolerance);
    }

    [Theory]
    [InlineData("qlora")]
    [InlineData("dora")]
    [InlineData("full_ft")]
    public void Gradients_of_the_first_step_match(string name)
    {
        ReferenceRun run = ReferenceRun.Open(name);
        using TemporaryFolder folder = TestFiles.NewFolder();
        using var backend = new CpuBackend();
        using CausalLanguageModel model = run.LoadModel(backend);
        using var trainer = new Trainer(model, run.TrainingData(), run.TrainingOptions(folder.Path) with { LearningRate = 0 });
        trainer.TrainStep();

        using SafetensorsFile expected = SafetensorsFile.Open(Path.Combine(run.Folder, "grads_step0.safetensors"));
        foreach (Parameter parameter in model.TrainableParameters)
        {
            string key = run.IsFull ? parameter.Name : AdapterSet.FileKeyPrefix + parameter.Name;
            key = expected.Entries.ContainsKey(key) ? key : key + ".weight";
            SafetensorsEntry entry = expected.Find(key);
            var reference = new float[entry.Count];
            expected.ReadFloats(entry, 0, reference);
            float[] actual = backend.ToArray(parameter.Value.Gradient!);
            Assert.True(RelativeError(actual, reference) <= 1e-4, $"{key}: {RelativeError(actual, reference):E2}");
        }
    }

    private static double RelativeError(float[] actual, float[] expected)
    {
        double difference = 0, norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow((double)actual[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }

        return norm == 0 ? Math.Sqrt(difference) : Math.Sqrt(difference / norm);
    }
}
