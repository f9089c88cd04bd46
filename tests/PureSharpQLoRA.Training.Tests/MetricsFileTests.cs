using System.Text.Json;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Cpu;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Training.Tests;

public sealed class MetricsFileTests
{
    private static readonly TrainingPlan Fresh = new(0, 10, 5, 20, 100);

    private static readonly LoggedMetrics Metrics = new(4, 0.8, 2.5, 1e-4, 0.75, 1234.56, 2048, 1L << 33);

    [Fact]
    public void Lines_are_JSON_with_the_documented_fields()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        using (var file = new MetricsFile(folder.File("metrics.jsonl")))
        using (var run = new TinyRun(new TinySettings
        {
            ModelFolder = TinyRun.NewModel(folder),
            HeldOut = TinyRun.Examples(3, seed: 3).Examples,
            Observers = [file],
            Options = TinyRun.Options(folder, 4) with { LoggingSteps = 2, EvalSteps = 4 },
        }))
        {
            run.Run();
        }

        JsonElement[] lines = [.. File.ReadAllLines(folder.File("metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        string[] logged = ["step", "epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second", "tokens_seen", "peak_memory_bytes"];
        Assert.Equal(logged, Fields(lines[0]));
        Assert.Equal(logged, Fields(lines[1]));
        Assert.Equal(["step", "epoch", "eval_loss", "eval_perplexity"], Fields(lines[2]));
        Assert.Equal(3, lines.Length);
        Assert.Equal([2, 4, 4], lines.Select(line => line.GetProperty("step").GetInt32()));
        Assert.Equal(Math.Exp(lines[2].GetProperty("eval_loss").GetDouble()), lines[2].GetProperty("eval_perplexity").GetDouble(), 1e-9);
        Assert.All(lines[..2], line => Assert.True(line.GetProperty("tokens_per_second").GetDouble() > 0));
    }

    [Fact]
    public void A_line_holds_its_figures_exactly()
    {
        Assert.Equal(
            """{"step":4,"epoch":0.8,"loss":2.5,"learning_rate":0.0001,"grad_norm":0.75,"tokens_per_second":1234.6,"tokens_seen":2048,"peak_memory_bytes":8589934592}""",
            MetricsFile.Line(Metrics));
        Assert.Contains("\"grad_norm\":null", MetricsFile.Line(Metrics with { GradientNorm = double.PositiveInfinity }), StringComparison.Ordinal);
    }

    [Fact]
    public void Figures_that_are_not_finite_are_null()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = folder.File("metrics.jsonl");
        using (var file = new MetricsFile(path))
        {
            file.OnStarted(Fresh);
            file.OnEvaluated(4, 0.8, new EvaluationResult(1000, 8));
        }

        Assert.Equal(["""{"step":4,"epoch":0.8,"eval_loss":1000,"eval_perplexity":null}"""], File.ReadAllLines(path));
    }

    [Fact]
    public void A_resumed_run_cuts_the_file_back_to_its_first_step()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = folder.File("metrics.jsonl");
        string[] lines = ["{\"step\":2,\"loss\":3}", "not json", "[1]", "{\"step\":\"3\"}", "{\"step\":4,\"loss\":2}", "{\"step\":6,\"loss\":1}", "{\"step\":8,\"lo"];
        File.WriteAllText(path, string.Join('\n', lines));
        using (var file = new MetricsFile(path))
        {
            file.OnStarted(Fresh with { FirstStep = 4 });
            file.OnLogged(Metrics with { Step = 6 });
        }

        Assert.Equal([lines[0], lines[4], MetricsFile.Line(Metrics with { Step = 6 })], File.ReadAllLines(path));
        Assert.Equal([path], Directory.GetFiles(folder.Path));
    }

    [Fact]
    public void A_new_run_begins_a_new_file()
    {
        using TemporaryFolder folder = TestFiles.NewFolder();
        string path = folder.File("metrics.jsonl");
        File.WriteAllText(path, "{\"step\":0,\"eval_loss\":3}\n");
        using (var file = new MetricsFile(path))
        {
            file.OnStarted(Fresh);
        }

        Assert.Equal("", File.ReadAllText(path));
    }

    [Fact]
    public void Peak_memory_is_that_of_the_process_or_of_the_devices_pool()
    {
        using var cpu = new CpuBackend();
        long process = ProcessMemory.PeakBytes(cpu);
        Assert.True(process >= Environment.WorkingSet / 2 && process > 10 << 20, $"{process} bytes");
        using var scope = new TensorScope(cpu.Memory, MemoryPurpose.Weights);
        scope.Allocate(new Shape(1000));
        using var device = new OwnMemory(cpu);
        Assert.Equal(cpu.Memory.PeakBytes, ProcessMemory.PeakBytes(device));
        Assert.InRange(cpu.Memory.PeakBytes, 4000, process);
    }

    private static string[] Fields(JsonElement line) => [.. line.EnumerateObject().Select(property => property.Name)];

    private sealed class OwnMemory(IBackend inner) : DelegatingBackend(inner)
    {
        public override bool SharesHostMemory => false;
    }
}
