using System.Text.Json;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>What llama.cpp makes of our GGUF files: the ids of a prompt, and the tokens it generates greedily, are those of `generate`.</summary>
public sealed class LlamaCppTests(TinyModel model) : IClassFixture<TinyModel>
{
    private const string Prompt = "One day, a little girl named Lily";

    [Fact]
    public void The_demo_model_plain_merged_and_with_an_adapter_generates_the_same_tokens()
    {
        string adapter = model.NewPath("adapter");
        model.Run(
            "train", "--model", TinyModel.Demo, "--dataset", TestFiles.InRepository("tools", "Cli", "Demo", "data", "style-train.jsonl"), "--output-dir", adapter, "--load-in-4bit", "false",
            "--max-steps", "4", "--max-length", "64", "--per-device-train-batch-size", "2", "--learning-rate", "0.01", "--r", "6", "--use-rslora").MustExitWith(ExitCodes.Done);
        string plain = model.Export(TinyModel.Demo), merged = model.Export(TinyModel.Demo, "--adapter", adapter), alone = model.Export(TinyModel.Demo, "--adapter", adapter, "--adapter-only");

        LlamaAnswer[] answers = LlamaJudge.Run(new(plain, Prompt, 100), new(merged, Prompt, 100), new(plain, Prompt, 100, alone));

        int[] ours = Generate(100, "--model", TinyModel.Demo), adapted = Generate(100, "--model", TinyModel.Demo, "--adapter", adapter);
        Assert.NotEqual(ours, adapted);
        Assert.Equal(ours, answers[0].Ids);
        Assert.Equal(adapted, answers[1].Ids);
        Assert.Equal(adapted, answers[2].Ids);
    }

    [Theory]
    [InlineData("llama", "\"attention_bias\": true")]
    [InlineData("llama", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 16}")]
    [InlineData("llama", "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}")]
    [InlineData("llama", "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32, \"attention_factor\": 1.3}")]
    [InlineData("mistral", "\"sliding_window\": null")]
    [InlineData("qwen2", "\"tie_word_embeddings\": false")]
    [InlineData("qwen3", "\"head_dim\": 32")]
    public void Random_models_of_every_family_generate_the_same_tokens(string family, string more)
    {
        string folder = model.RandomModel(family, more);

        LlamaAnswer answer = LlamaJudge.Run(new LlamaJob(model.Export(folder), Prompt, 60))[0];

        int[] ours = Generate(60, "--model", folder);
        Assert.True(ours.Distinct().Count() > 10);
        Assert.Equal(ours, answer.Ids);
    }

    [Fact]
    public void Files_of_every_type_are_read_and_begin_with_the_same_tokens()
    {
        // llama.cpp rounds activations to 8 bits before it multiplies by quantised weights, so that a long text may part from ours.
        const int Count = 20;
        string[] types = ["f16", "bf16", "q8_0", "q4_0"], files = [.. types.Select(type => model.Export(TinyModel.Demo, "--outtype", type))];

        LlamaAnswer[] answers = LlamaJudge.Run([.. files.Select(file => new LlamaJob(file, Prompt, Count))]);

        Assert.All(files.Zip(answers), pair => Assert.Equal(Generate(Count, "--model", pair.First), pair.Second.Ids));
    }

    [Fact]
    public void Llama_cpp_tokenises_as_we_do()
    {
        string[] texts = ["One day", "  two  spaces", "It's 1234 o'clock.\n\n\tTab", "naïve café 日本語 🙂", "a<|endoftext|>b", "x"];
        string? stories = TestFiles.InReference("models", "stories260K");
        foreach (string folder in stories is null ? [TinyModel.Demo] : new[] { TinyModel.Demo, stories })
        {
            string file = model.Export(folder);

            LlamaAnswer[] answers = LlamaJudge.Run([.. texts.Select(text => new LlamaJob(file, text, 0))]);

            Assert.Equal(texts.Select(text => string.Join(' ', Text.Tokenizer.Load(folder).Encode(text))), answers.Select(answer => string.Join(' ', answer.Prompt)));
        }
    }

    [Fact]
    public void A_real_model_and_three_adapters_generate_the_same_100_tokens()
    {
        string? stories = TestFiles.InReference("models", "stories260K");
        if (stories is null)
        {
            Assert.Skip("The reference models are not beside the repository.");
        }

        string plain = model.Export(stories);
        var jobs = new List<LlamaJob> { new(plain, Prompt, 100) };
        var expected = new List<int[]> { Generate(100, "--model", stories) };
        foreach (string run in new[] { "qlora", "rslora", "lora_fp32" })
        {
            string adapter = TestFiles.InReference("reference", "runs", run, "peft_final")!;
            jobs.Add(new(model.Export(stories, "--adapter", adapter), Prompt, 100));
            jobs.Add(new(plain, Prompt, 100, model.Export(stories, "--adapter", adapter, "--adapter-only")));
            expected.AddRange(Enumerable.Repeat(Generate(100, "--model", stories, "--adapter", adapter), 2));
        }

        LlamaAnswer[] answers = LlamaJudge.Run([.. jobs]);

        Assert.Equal(4, expected.Select(ids => string.Join(' ', ids)).Distinct().Count());
        Assert.Equal(expected, answers.Select(answer => answer.Ids));
    }

    private int[] Generate(int count, params string[] more)
    {
        CliRun run = model.Run(["generate", "--prompt", Prompt, "--max-new-tokens", $"{count}", "--json", .. more]).MustExitWith(ExitCodes.Done);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        return [.. json.RootElement.GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32())];
    }
}
