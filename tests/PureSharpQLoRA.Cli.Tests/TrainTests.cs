using System.Text.Json;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class TrainTests(TinyModel model) : IClassFixture<TinyModel>
{
    private static readonly string[] LoggedFields =
        ["step", "epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second", "tokens_seen", "peak_memory_bytes"];

    [Fact]
    public void A_run_writes_adapter_metrics_settings_and_report()
    {
        string output = model.NewPath("run");

        CliRun run = model.Train(model.Host, output, "--eval-dataset", model.HeldOut, "--eval-steps", "3", "--save-steps", "4", "--sample-prompt", "The cat").MustExitWith(ExitCodes.Done);

        Assert.Equal(
            ["adapter_config.json", "adapter_model.safetensors", "metrics.jsonl", "report.html", "run.yaml"],
            Directory.EnumerateFiles(output).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(Path.Combine(output, "checkpoint-4", "adapter_model.safetensors")));
        JsonElement[] lines = Metrics(output);
        Assert.Equal([1, 2, 3, 3, 4, 5, 6, 6], lines.Select(line => line.GetProperty("step").GetInt32()));
        Assert.All(lines.Where(line => line.TryGetProperty("loss", out _)), line => Assert.Equal(LoggedFields, line.EnumerateObject().Select(field => field.Name)));
        Assert.All(lines.Where(line => line.TryGetProperty("eval_loss", out _)), line =>
            Assert.Equal(Math.Exp(line.GetProperty("eval_loss").GetDouble()), line.GetProperty("eval_perplexity").GetDouble(), 1e-6));
        Assert.True(lines[^1].GetProperty("eval_loss").GetDouble() < lines[3].GetProperty("eval_loss").GetDouble());
        Assert.Contains("Before: The cat", run.Output, StringComparison.Ordinal);
        Assert.Contains("After:  The cat", run.Output, StringComparison.Ordinal);
        string report = File.ReadAllText(Path.Combine(output, "report.html"));
        Assert.Equal(4, report.Split("<svg").Length - 1);
        Assert.DoesNotContain("http", report, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interrupted_run_saves_says_how_to_go_on_and_ends_as_if_never_stopped()
    {
        string whole = model.NewPath("whole"), parts = model.NewPath("parts");
        model.Train(model.Host, whole).MustExitWith(ExitCodes.Done);
        using var interrupt = new CancellationTokenSource();
        interrupt.Cancel();

        CliRun first = model.Train(model.Host with { Interrupt = interrupt.Token }, parts).MustExitWith(ExitCodes.Interrupted);

        Assert.Contains("Interrupted after step 1; everything is saved in", first.Error, StringComparison.Ordinal);
        string command = first.Error.TrimEnd().Split('\n')[^1].Trim();
        Assert.Equal($"puresharp train --config {Path.Combine(parts, "run.yaml")} --resume-from-checkpoint last", command);
        Assert.False(File.Exists(Path.Combine(parts, "adapter_model.safetensors")));

        model.Run(command.Split(' ')[1..]).MustExitWith(ExitCodes.Done);

        Assert.Equal(Losses(whole), Losses(parts));
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole, "adapter_model.safetensors")), File.ReadAllBytes(Path.Combine(parts, "adapter_model.safetensors")));
    }

    [Fact]
    public void The_8_bit_optimizer_learns_too()
    {
        string output = model.NewPath("optimizer");
        model.Train(model.Host, output, "--optim", "adamw_bnb_8bit", "--finetuning-type", "full", "--load-in-4bit", "false", "--save-steps", "4").MustExitWith(ExitCodes.Done);
        double[] losses = Losses(output);
        Assert.True(losses[^1] < losses[0], string.Join(", ", losses));
        Assert.Contains(".state1", File.ReadAllText(Path.Combine(output, "checkpoint-4", "optimizer.safetensors")), StringComparison.Ordinal);
    }

    [Fact]
    public void Run_yaml_repeats_a_run()
    {
        string first = model.NewPath("first"), second = model.NewPath("second");
        model.Train(model.Host, first, "--lora-dropout", "0.1", "--target-modules", "q_proj,v_proj", "--use-rslora", "--neftune-noise-alpha", "5").MustExitWith(ExitCodes.Done);

        model.Run("train", "--config", Path.Combine(first, "run.yaml"), "--output-dir", second).MustExitWith(ExitCodes.Done);

        Assert.Equal(Losses(first), Losses(second));
        Assert.Equal(
            File.ReadAllText(Path.Combine(first, "run.yaml")).Replace(first, "", StringComparison.Ordinal),
            File.ReadAllText(Path.Combine(second, "run.yaml")).Replace(second, "", StringComparison.Ordinal));
    }

    [Fact]
    public void Results_of_another_run_are_kept_unless_told_otherwise()
    {
        string output = model.NewPath("run");
        model.Train(model.Host, output).MustExitWith(ExitCodes.Done);
        byte[] before = File.ReadAllBytes(Path.Combine(output, "metrics.jsonl"));

        CliRun refused = model.Train(model.Host, output).MustExitWith(ExitCodes.Failed);

        Assert.StartsWith($"error: --output-dir: {output} holds results of another run", refused.Error, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(output, "metrics.jsonl")));
        model.Train(model.Host, output, "--overwrite-output-dir").MustExitWith(ExitCodes.Done);
    }

    [Fact]
    public void A_run_that_failed_before_its_first_step_is_not_in_the_way()
    {
        string output = model.NewPath("run");
        Directory.CreateDirectory(output);
        File.WriteAllText(Path.Combine(output, "run.yaml"), "r: 8\n");
        File.WriteAllText(Path.Combine(output, "metrics.jsonl"), "");

        model.Train(model.Host, output).MustExitWith(ExitCodes.Done);
    }

    [Fact]
    public void A_folder_in_use_is_refused()
    {
        string output = model.NewPath("run");
        using Running.RunFolder held = Running.RunFolder.Open(output, resumes: false, overwrite: false);

        CliRun run = model.Train(model.Host, output).MustExitWith(ExitCodes.Failed);

        Assert.StartsWith($"error: --output-dir: {output} is in use by another run", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_is_the_last_metrics_and_the_folder_and_nothing_else()
    {
        string output = model.NewPath("run");

        CliRun run = model.Train(model.Host, output, "--eval-dataset", model.HeldOut, "--json").MustExitWith(ExitCodes.Done);

        using JsonDocument json = JsonDocument.Parse(run.Output);
        Assert.Equal([.. LoggedFields, "eval_loss", "eval_perplexity", "output_dir", "end"], json.RootElement.EnumerateObject().Select(field => field.Name));
        Assert.Equal(6, json.RootElement.GetProperty("step").GetInt32());
    }

    [Fact]
    public void All_weights_can_be_trained()
    {
        string output = model.NewPath("full");

        model.Run(
            "train", "--model", model.Folder, "--dataset", model.Data, "--output-dir", output, "--finetuning-type", "full", "--max-steps", "8", "--learning-rate", "0.01",
            "--packing", "--max-length", "64", "--logging-steps", "1").MustExitWith(ExitCodes.Done);

        double[] losses = Losses(output);
        Assert.True(losses[^1] < losses[0] - 0.5, string.Join(' ', losses));
        CliRun eval = model.Run("eval", "--model", output, "--dataset", model.HeldOut, "--json").MustExitWith(ExitCodes.Done);
        using JsonDocument json = JsonDocument.Parse(eval.Output);
        Assert.True(json.RootElement.GetProperty("loss").GetDouble() < losses[0] - 0.5);
    }

    [Fact]
    public void An_adapter_is_trained_further_and_evaluated_with_its_base_as_it_was()
    {
        string first = model.NewPath("first"), second = model.NewPath("second");
        model.Train(model.Host, first, "--use-dora", "--eval-dataset", model.HeldOut).MustExitWith(ExitCodes.Done);

        CliRun eval = model.Run("eval", "--model", model.Folder, "--adapter", first, "--dataset", model.HeldOut, "--json").MustExitWith(ExitCodes.Done);
        model.Run(
            "train", "--model", model.Folder, "--dataset", model.Data, "--output-dir", second, "--init-adapter", first, "--max-steps", "3", "--logging-steps", "1",
            "--per-device-train-batch-size", "4").MustExitWith(ExitCodes.Done);

        using JsonDocument json = JsonDocument.Parse(eval.Output);
        double after = Metrics(first)[^1].GetProperty("eval_loss").GetDouble();
        Assert.Equal(after, json.RootElement.GetProperty("loss").GetDouble(), 1e-9);
        Assert.True(Losses(second)[0] < Losses(first)[0]);
        Assert.Contains("use_dora: true", File.ReadAllText(Path.Combine(second, "run.yaml")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--load-in-4bit true does not go with --finetuning-type full", "--finetuning-type", "full", "--load-in-4bit", "true")]
    [InlineData("--use-dora does not go with --finetuning-type full", "--finetuning-type", "full", "--use-dora")]
    [InlineData("--report-to: tensorboard is not supported yet", "--report-to", "tensorboard")]
    [InlineData("--eval-steps and --early-stopping-patience need an --eval-dataset", "--eval-steps", "3")]
    public void Options_that_do_not_go_together_are_wrong_usage(string message, params string[] more)
    {
        CliRun run = model.Run(["train", "--model", model.Folder, "--dataset", model.Data, "--output-dir", model.NewPath("run"), .. more]).MustExitWith(ExitCodes.Usage);

        Assert.StartsWith("error: " + message, run.Error, StringComparison.Ordinal);
    }

    private static JsonElement[] Metrics(string output) =>
        [.. File.ReadLines(Path.Combine(output, "metrics.jsonl")).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];

    private static double[] Losses(string output) =>
        [.. Metrics(output).Where(line => line.TryGetProperty("loss", out _)).Select(line => line.GetProperty("loss").GetDouble())];
}
