using System.Text.Json;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class ModelCommandTests(TinyModel model) : IClassFixture<TinyModel>
{
    [Fact]
    public void Init_writes_every_weight_of_the_model_and_copies_the_tokenizer()
    {
        using CheckpointReader weights = CheckpointReader.Open(model.Folder);

        Assert.Equal(2 + (2 * 9), weights.Tensors.Count);
        Assert.Equal(SafetensorsType.Float32, weights.Find("model.layers.1.mlp.down_proj.weight").Entry.Type);
        Assert.True(File.Exists(Path.Combine(model.Folder, "tokenizer.json")));
    }

    [Fact]
    public void Init_refuses_a_folder_that_is_not_empty()
    {
        CliRun run = model.Run("init", "--model", model.Folder, "--output-dir", model.Folder).MustExitWith(ExitCodes.Failed);

        Assert.Contains("the folder is not empty", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Init_follows_the_seed_and_the_type()
    {
        string one = model.NewPath("one"), two = model.NewPath("two"), half = model.NewPath("half");
        model.Run("init", model.Folder, "--output-dir", one, "--seed", "7").MustExitWith(ExitCodes.Done);
        model.Run("init", model.Folder, "--output-dir", two, "--seed", "7", "--num-threads", "1").MustExitWith(ExitCodes.Done);
        model.Run("init", model.Folder, "--output-dir", half, "--dtype", "bfloat16").MustExitWith(ExitCodes.Done);

        Assert.Equal(File.ReadAllBytes(Path.Combine(one, "model.safetensors")), File.ReadAllBytes(Path.Combine(two, "model.safetensors")));
        Assert.Contains("\"torch_dtype\": \"bfloat16\"", File.ReadAllText(Path.Combine(half, "config.json")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_quantised_model_evaluates_as_one_quantised_while_loading()
    {
        string output = model.NewPath("4bit");
        model.Run("quantize", "--model", model.Folder, "--output-dir", output, "--bnb-4bit-use-double-quant", "false").MustExitWith(ExitCodes.Done);

        Assert.Equal(Loss("--model", output), Loss("--model", model.Folder, "--load-in-4bit"));
        Assert.NotEqual(Loss("--model", output), Loss("--model", model.Folder));
    }

    [Fact]
    public void A_merged_model_evaluates_as_base_plus_adapter()
    {
        string adapter = model.NewPath("adapter"), merged = model.NewPath("merged");
        model.Train(model.Host, adapter, "--load-in-4bit", "false").MustExitWith(ExitCodes.Done);

        using JsonDocument report = JsonDocument.Parse(
            model.Run("merge", "--model", model.Folder, "--adapter", adapter, "--output-dir", merged, "--json").MustExitWith(ExitCodes.Done).Output);

        Assert.Equal(14, report.RootElement.GetProperty("layers").GetInt32());
        Assert.InRange(report.RootElement.GetProperty("max_logit_difference").GetDouble(), 0, 1e-4);
        Assert.Equal(Loss("--model", model.Folder, "--adapter", adapter), Loss("--model", merged), 1e-5);
    }

    [Fact]
    public void Greedy_text_is_the_same_each_time_and_sampling_follows_the_seed()
    {
        string Text(params string[] more) => model.Run(["generate", "--model", model.Folder, "--prompt", "The cat", "--max-new-tokens", "20", .. more]).MustExitWith(ExitCodes.Done).Output;

        Assert.StartsWith("The cat", Text(), StringComparison.Ordinal);
        Assert.Equal(Text(), Text());
        Assert.Equal(Text("--temperature", "1", "--seed", "3"), Text("--temperature", "1", "--seed", "3"));
        Assert.NotEqual(Text("--temperature", "1", "--seed", "3"), Text("--temperature", "1", "--seed", "4"));
    }

    [Fact]
    public void The_prompt_can_come_from_standard_input()
    {
        CliRun run = CliRun.With(model.Host with { Input = new StringReader("The dog\n") }, "generate", "--model", model.Folder, "--max-new-tokens", "3").MustExitWith(ExitCodes.Done);

        Assert.StartsWith("The dog", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Greedy_text_of_a_real_model_is_that_of_the_reference()
    {
        string? folder = TestFiles.InReference("models", "stories260K");
        if (folder is null)
        {
            Assert.Skip("The reference models are not beside the repository.");
        }

        using JsonDocument golden = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "golden_generation.json")));
        int[] expected = [.. golden.RootElement.GetProperty("greedy_from_bos").GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];

        CliRun run = model.Run("generate", "--model", folder, "--prompt", "", "--max-new-tokens", $"{expected.Length - 1}", "--json").MustExitWith(ExitCodes.Done);

        using JsonDocument json = JsonDocument.Parse(run.Output);
        Assert.Equal(expected[1..], json.RootElement.GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32()));
    }

    [Fact]
    public void Tokenize_writes_a_line_per_input()
    {
        CliRun run = model.Run("tokenize", "--model", model.Folder, "--input", model.HeldOut, "--json").MustExitWith(ExitCodes.Done);

        Assert.Equal(10, run.Output.TrimEnd().Split('\n').Length);
        Assert.StartsWith("{\"text\":\"The ", run.Output, StringComparison.Ordinal);
    }

    private double Loss(params string[] more)
    {
        CliRun run = model.Run(["eval", "--dataset", model.HeldOut, "--json", .. more]).MustExitWith(ExitCodes.Done);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        return json.RootElement.GetProperty("loss").GetDouble();
    }
}
