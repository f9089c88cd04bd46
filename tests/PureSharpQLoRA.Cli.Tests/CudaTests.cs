using System.Text.Json;
using PureSharpQLoRA.Cuda.Testing;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>The commands on a card, whose place the PTX machine takes behind the driver's functions.</summary>
public sealed class CudaTests(TinyModel model) : IClassFixture<TinyModel>
{
    [Fact]
    public void Devices_lists_the_card_with_memory_capability_driver_and_ptx()
    {
        using var driver = new MachineDriver("Tesla T4") { MemoryBytes = 15L << 30 };
        CliHost host = model.Host with { FindCards = driver.Find };

        CliRun text = CliRun.With(host, "devices").MustExitWith(ExitCodes.Done);
        CliRun json = CliRun.With(host, "devices", "--json").MustExitWith(ExitCodes.Done);

        Assert.Contains("cuda  0: Tesla T4: 15.0 GiB memory, 40 multiprocessors, compute capability 7.5, driver for CUDA 12.4, PTX 6.5, sm_75", text.Output, StringComparison.Ordinal);
        JsonElement card = JsonDocument.Parse(json.Output).RootElement.GetProperty("devices")[1];
        Assert.Equal(("cuda", true, "7.5"), (card.GetProperty("device").GetString(), card.GetProperty("usable").GetBoolean(), card.GetProperty("compute_capability").GetString()));
    }

    [Fact]
    public void Devices_says_why_a_card_is_not_used()
    {
        using var driver = new MachineDriver("Tesla P100", 60);
        Assert.Contains(
            "not usable: Tesla P100: A card of compute capability 6.0 is too old: 7.0 (Volta) or newer is needed.",
            CliRun.With(model.Host with { FindCards = driver.Find }, "devices").MustExitWith(ExitCodes.Done).Output,
            StringComparison.Ordinal);
        Assert.Contains("cuda  not usable: No NVIDIA driver is installed", CliRun.Of("devices").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_does_not_fit_is_refused_before_loading_with_what_would_fit()
    {
        using var driver = new MachineDriver("Tesla T4") { MemoryBytes = 66 << 20 };

        CliRun run = CliRun.With(
            model.Host with { FindCards = driver.Find },
            "train", "--model", model.Folder, "--dataset", model.Data, "--output-dir", model.NewPath("run"), "--device", "cuda", "--per-device-train-batch-size", "50");

        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Matches(@"^error: The run needs \S+ MiB for [\d,]+ tokens a pass, but Tesla T4 has \S+ MiB free; largest are .*\. It fits with --", run.Error);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Equal(0, driver.Open);
    }

    [Fact]
    public void A_type_that_the_card_does_not_have_is_refused_in_a_line()
    {
        using var driver = new MachineDriver("Tesla T4");
        CliRun run = model.Train(model.Host with { FindCards = driver.Find }, model.NewPath("run"), "--device", "cuda", "--bnb-4bit-compute-dtype", "bfloat16");
        Assert.Equal("error: Tesla T4 has no bf16 tensor cores (compute capability 8.0 is needed); use Float16.", run.Error.TrimEnd());
        Assert.Equal(0, driver.Open);
    }

    [Fact]
    public void Training_evaluation_and_text_on_a_card_follow_the_processor()
    {
        string[] settings = ["--max-steps", "2", "--per-device-train-batch-size", "2", "--logging-steps", "1", "--learning-rate", "0.01", "--r", "4", "--save-steps", "1"];
        string processor = model.NewPath("cpu"), card = model.NewPath("cuda");
        using var driver = new MachineDriver("Tesla T4") { MemoryBytes = 2L << 30 };
        CliHost host = model.Host with { FindCards = driver.Find };

        CliRun.With(model.Host, ["train", "--model", model.Folder, "--dataset", model.Data, "--output-dir", processor, .. settings]).MustExitWith(ExitCodes.Done);
        CliRun run = CliRun.With(host, ["train", "--model", model.Folder, "--dataset", model.Data, "--output-dir", card, .. settings]).MustExitWith(ExitCodes.Done);

        Assert.Contains("on Tesla T4, Float16 activations", run.Output, StringComparison.Ordinal);
        Assert.All(Losses(processor).Zip(Losses(card)), pair => Assert.Equal(pair.First, pair.Second, 2e-2));
        string[] generate = ["generate", "--model", model.Folder, "--adapter", card, "--prompt", "The cat", "--max-new-tokens", "3", "--do-sample", "false", "--json"];
        Assert.Equal(CliRun.With(model.Host, generate).MustExitWith(ExitCodes.Done).Output, CliRun.With(host, generate).MustExitWith(ExitCodes.Done).Output);
        Assert.Equal(0, driver.Open);
    }

    private static double[] Losses(string folder) =>
        [.. File.ReadLines(Path.Combine(folder, "metrics.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("loss").GetDouble())];
}
