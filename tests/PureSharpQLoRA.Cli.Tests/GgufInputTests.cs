using System.Text.Json;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Tests;

/// <summary>GGUF files in place of model folders.</summary>
public sealed class GgufInputTests(TinyModel model) : IClassFixture<TinyModel>
{
    private const string Prompt = "One day, a little girl named Lily";

    [Theory]
    [InlineData("llama", "\"attention_bias\": true, \"mlp_bias\": true")]
    [InlineData("llama", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 100}")]
    [InlineData("llama", "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}")]
    [InlineData("llama", "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 32, \"attention_factor\": 1.3, \"beta_fast\": 16.0}")]
    [InlineData("mistral", "\"sliding_window\": null")]
    [InlineData("qwen2", "\"tie_word_embeddings\": false")]
    [InlineData("qwen3", "\"head_dim\": 32")]
    public void A_file_in_fp32_generates_what_its_folder_generates(string family, string more)
    {
        string folder = model.RandomModel(family, more), file = model.Export(folder);

        int[] ours = Generate(folder);

        Assert.True(ours.Distinct().Count() > 10);
        Assert.Equal(ours, Generate(file));
        Assert.Equal(ours, Generate(Path.GetDirectoryName(file)!));
    }

    [Fact]
    public void Tokenizers_come_back_from_the_metadata()
    {
        string[] texts = ["One day", "  two  spaces", "It's 1234 o'clock.\n\n\tTab", "naïve café 日本語 🙂", "a<|endoftext|>b<s></s>", "x", "", "The quick brown fox jumps over the lazy dog."];
        string? stories = TestFiles.InReference("models", "stories260K");
        foreach (string folder in stories is null ? [TinyModel.Demo] : new[] { TinyModel.Demo, stories })
        {
            string file = model.Export(folder), files = model.NewPath("files");
            Directory.CreateDirectory(files);
            using (GgufFile gguf = GgufFile.Open(file))
            {
                GgufModel.WriteFiles(gguf, files);
            }

            Tokenizer before = Tokenizer.Load(folder), after = Tokenizer.Load(files);
            Assert.All(texts, text => Assert.Equal(before.Encode(text), after.Encode(text)));
            Assert.All(texts, text => Assert.Equal(before.Decode(before.Encode(text)), after.Decode(after.Encode(text))));
            Assert.Equal((before.BosId, before.EosId, before.VocabularySize), (after.BosId, after.EosId, after.VocabularySize));
        }
    }

    [Fact]
    public void A_quantised_file_is_evaluated_near_the_original_and_trained()
    {
        string file = model.Export(TinyModel.Demo, "--outtype", "q8_0"), adapter = model.NewPath("adapter");
        string data = TestFiles.InRepository("tools", "Cli", "Demo", "data", "style-train.jsonl");
        string few = model.NewPath("few.jsonl");
        Directory.CreateDirectory(Path.GetDirectoryName(few)!);
        File.WriteAllLines(few, File.ReadLines(data).Take(8));

        double original = Loss(few, "--model", TinyModel.Demo), quantised = Loss(few, "--model", file), fourBits = Loss(few, "--model", file, "--load-in-4bit");
        model.Run(
            "train", "--model", file, "--dataset", few, "--output-dir", adapter, "--max-steps", "4", "--max-length", "64", "--learning-rate", "0.01",
            "--per-device-train-batch-size", "2").MustExitWith(ExitCodes.Done);

        Assert.Equal(original, quantised, 0.02);
        Assert.NotEqual(original, quantised);
        Assert.NotEqual(quantised, fourBits);
        Assert.True(Loss(few, "--model", TinyModel.Demo, "--adapter", adapter) < original);
        Assert.Equal(file, AdapterConfig.Read(Path.Combine(adapter, AdapterConfig.FileName)).BaseModelNameOrPath);
    }

    [Fact]
    public void Quantize_merge_tokenize_and_export_take_a_file()
    {
        string file = model.Export(model.Folder), adapter = model.NewPath("adapter");
        string fromFile = model.NewPath("4bit"), fromFolder = model.NewPath("4bit"), merged = model.NewPath("merged"), mergedFolder = model.NewPath("merged"), again = model.Export(file);
        model.Train(model.Host, adapter, "--load-in-4bit", "false").MustExitWith(ExitCodes.Done);
        model.Run("quantize", "--model", file, "--output-dir", fromFile).MustExitWith(ExitCodes.Done);
        model.Run("quantize", "--model", model.Folder, "--output-dir", fromFolder).MustExitWith(ExitCodes.Done);
        model.Run("merge", "--model", file, "--adapter", adapter, "--output-dir", merged).MustExitWith(ExitCodes.Done);
        model.Run("merge", "--model", model.Folder, "--adapter", adapter, "--output-dir", mergedFolder).MustExitWith(ExitCodes.Done);

        Assert.Equal(File.ReadAllBytes(Path.Combine(fromFolder, "model.safetensors")), File.ReadAllBytes(Path.Combine(fromFile, "model.safetensors")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(mergedFolder, "model.safetensors")), File.ReadAllBytes(Path.Combine(merged, "model.safetensors")));
        Assert.True(File.Exists(Path.Combine(merged, "tokenizer.json")));
        Assert.Equal(
            model.Run("tokenize", "--model", model.Folder, "The cat").Output, model.Run("tokenize", "--model", file, "The cat").MustExitWith(ExitCodes.Done).Output);
        using GgufFile first = GgufFile.Open(file), second = GgufFile.Open(again);
        Assert.All(first.Entries.Values, entry =>
        {
            byte[] a = new byte[entry.Bytes], b = new byte[entry.Bytes];
            first.ReadBytes(entry, 0, a);
            second.ReadBytes(second.Find(entry.Name), 0, b);
            Assert.Equal(a, b);
        });
        Assert.Equal(first.ReadTexts("tokenizer.ggml.tokens")!, second.ReadTexts("tokenizer.ggml.tokens")!);
        Assert.Equal(first.ReadTexts("tokenizer.ggml.merges")!, second.ReadTexts("tokenizer.ggml.merges")!);
    }

    [Fact]
    public void Conversations_go_through_the_template_inside_the_file()
    {
        string folder = model.NewPath("chat"), data = model.NewPath("chat.jsonl");
        Directory.CreateDirectory(folder);
        Directory.CreateDirectory(Path.GetDirectoryName(data)!);
        foreach (string source in Directory.EnumerateFiles(TinyModel.Demo))
        {
            File.Copy(source, Path.Combine(folder, Path.GetFileName(source)));
        }

        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}");
        File.WriteAllText(data, """{"messages":[{"role":"user","content":"Hello"},{"role":"assistant","content":"Arr"}]}""");
        string file = model.Export(folder);

        Assert.Equal(Loss(data, "--model", folder), Loss(data, "--model", file));
    }

    [Fact]
    public void A_whole_model_trained_from_a_file_is_a_model_folder()
    {
        string file = model.Export(model.Folder), output = model.NewPath("full");
        model.Run(
            "train", "--model", file, "--dataset", model.Data, "--output-dir", output, "--finetuning-type", "full", "--load-in-4bit", "false", "--max-steps", "2", "--learning-rate", "0.001",
            "--per-device-train-batch-size", "2").MustExitWith(ExitCodes.Done);

        Assert.True(double.IsFinite(Loss(model.HeldOut, "--model", output)));
    }

    [Fact]
    public void Files_that_cannot_be_a_base_are_refused_in_one_line()
    {
        string adapter = model.NewPath("adapter");
        model.Train(model.Host, adapter).MustExitWith(ExitCodes.Done);
        Assert.Contains("the file holds no model: its type is adapter", Refused(model.Export(model.Folder, "--adapter", adapter, "--adapter-only")), StringComparison.Ordinal);

        string gemma = model.NewPath("gemma.gguf");
        Write(gemma, "gemma2", new GgufDeclaration("token_embd.weight", GgufTensorType.Float32, 2, 2));
        Assert.Contains("the architecture gemma2 is not supported as GGUF; llama (with Mistral), qwen2 and qwen3 are", Refused(gemma), StringComparison.Ordinal);

        string missing = model.NewPath("llama.gguf");
        Write(missing, "llama", new GgufDeclaration("token_embd.weight", GgufTensorType.Float32, 2, 2));
        Assert.Contains("the key llama.attention.head_count is missing", Refused(missing), StringComparison.Ordinal);
        Assert.Contains("a GGUF file; this command needs a model folder", model.Run("new", "--model", missing, "--output-dir", model.NewPath("host")).MustExitWith(ExitCodes.Failed).Error, StringComparison.Ordinal);
    }

    private static void Write(string path, string architecture, GgufDeclaration tensor)
    {
        var metadata = new GgufMetadata();
        metadata.Add("general.architecture", architecture);
        using var writer = new GgufWriter(path, metadata, [tensor]);
        writer.Write(tensor.Name, new byte[tensor.Bytes]);
        writer.Complete();
    }

    private string Refused(string file)
    {
        CliRun run = model.Run("generate", "--model", file, "--prompt", "x").MustExitWith(ExitCodes.Failed);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        return run.Error;
    }

    private int[] Generate(string path)
    {
        CliRun run = model.Run("generate", "--model", path, "--prompt", Prompt, "--max-new-tokens", "40", "--json").MustExitWith(ExitCodes.Done);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        return [.. json.RootElement.GetProperty("token_ids").EnumerateArray().Select(id => id.GetInt32())];
    }

    private double Loss(string data, params string[] more)
    {
        CliRun run = model.Run(["eval", "--dataset", data, "--json", .. more]).MustExitWith(ExitCodes.Done);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        return json.RootElement.GetProperty("loss").GetDouble();
    }
}
