using System.Text.Json;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class ExportTests(TinyModel model) : IClassFixture<TinyModel>
{
    [Fact]
    public void A_family_without_a_GGUF_form_is_refused_in_a_line()
    {
        string folder = model.NewPath("smollm3"), output = model.NewPath("model.gguf");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(model.Folder))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        string config = Path.Combine(folder, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"llama\"", "\"smollm3\"", StringComparison.Ordinal).Replace("{", "{\n  \"no_rope_layers\": [1, 0],", StringComparison.Ordinal));

        CliRun run = model.Run("export", "--model", folder, "--output", output);

        Assert.Equal(ExitCodes.Failed, run.ExitCode);
        Assert.Equal("error: SmolLM3 has layers without rotary embedding, which this version does not write as GGUF; use merge for a folder of safetensors.", run.Error.TrimEnd());
        Assert.False(File.Exists(output));
    }

    [Theory]
    [InlineData("f32", "F32", "F32", 0)]
    [InlineData("f16", "F16", "F16", 1)]
    [InlineData("bf16", "BF16", "BF16", 32)]
    [InlineData("q8_0", "Q8_0", "Q8_0", 7)]
    [InlineData("q4_0", "Q4_0", "Q8_0", 2)]
    public void Matrices_have_the_type_and_vectors_stay_in_fp32(string outtype, string matrices, string embedding, int fileType)
    {
        string output = model.NewPath("model.gguf");
        model.Run("export", "--model", TinyModel.Demo, "--outtype", outtype, "--output", output).MustExitWith(ExitCodes.Done);

        using GgufFile file = GgufFile.Open(output);
        Assert.Equal(matrices, file.Find("blk.5.ffn_down.weight").Type.Name());
        Assert.Equal(embedding, file.Find("token_embd.weight").Type.Name());
        Assert.Equal("F32", file.Find("blk.0.attn_norm.weight").Type.Name());
        Assert.Equal(fileType, file.FindInteger("general.file_type"));
        Assert.Equal([128L, 352L], file.Find("blk.5.ffn_down.weight").Shape);
        Assert.Equal("llama", file.FindText("general.architecture"));
        Assert.Equal(1024, file.ReadTexts("tokenizer.ggml.tokens")!.Length);
        Assert.Equal("smollm", file.FindText("tokenizer.ggml.pre"));
        Assert.Equal(3, file.ReadNumbers("tokenizer.ggml.token_type")![0]);
        Assert.False(file.FindBool("tokenizer.ggml.add_bos_token"));
    }

    [Fact]
    public void Query_and_key_rows_are_permuted_for_llama()
    {
        string output = model.NewPath("model.gguf");
        model.Run("export", "--model", model.Folder, "--outtype", "f32", "--output", output).MustExitWith(ExitCodes.Done);
        using GgufFile file = GgufFile.Open(output);
        using CheckpointReader source = CheckpointReader.Open(model.Folder);
        const int Rows = 16, Columns = 32, HeadSize = 8;
        var stored = new float[Rows * Columns];
        var original = new float[Rows * Columns];

        file.ReadFloats(file.Find("blk.1.attn_k.weight"), 0, stored);
        source.ReadFloats("model.layers.1.self_attn.k_proj.weight", 0, original);

        for (int head = 0; head < Rows / HeadSize; head++)
        {
            for (int pair = 0; pair < HeadSize / 2; pair++)
            {
                for (int half = 0; half < 2; half++)
                {
                    int here = (head * HeadSize) + (pair * 2) + half, there = (head * HeadSize) + (half * HeadSize / 2) + pair;
                    Assert.Equal(original[(there * Columns)..((there + 1) * Columns)], stored[(here * Columns)..((here + 1) * Columns)]);
                }
            }
        }
    }

    [Fact]
    public void A_4_bit_model_is_exported_decoded()
    {
        string quantized = model.NewPath("4bit"), output = model.NewPath("model.gguf");
        model.Run("quantize", "--model", model.Folder, "--output-dir", quantized).MustExitWith(ExitCodes.Done);
        model.Run("export", "--model", quantized, "--outtype", "f32", "--output", output).MustExitWith(ExitCodes.Done);

        using GgufFile file = GgufFile.Open(output);
        var values = new float[64 * 32];
        file.ReadFloats(file.Find("blk.0.ffn_up.weight"), 0, values);

        // A block of 64 has at most 16 values.
        Assert.InRange(values.Take(64).Distinct().Count(), 4, 16);
    }

    [Fact]
    public void An_adapter_alone_carries_alpha_for_rs_lora()
    {
        string adapter = model.NewPath("adapter"), output = model.NewPath("adapter.gguf");
        model.Train(model.Host, adapter, "--use-rslora", "--lora-alpha", "16").MustExitWith(ExitCodes.Done);
        CliRun run = model.Run("export", "--model", model.Folder, "--adapter", adapter, "--adapter-only", "--output", output, "--json").MustExitWith(ExitCodes.Done);

        using GgufFile file = GgufFile.Open(output);
        Assert.Equal("adapter", file.FindText("general.type"));
        Assert.Equal("lora", file.FindText("adapter.type"));
        Assert.Equal(16 * Math.Sqrt(4), file.FindNumber("adapter.lora.alpha")!.Value, 1e-5);
        Assert.Equal([4L, 32L], file.Find("blk.0.attn_q.weight.lora_a").Shape);
        Assert.Equal([32L, 4L], file.Find("blk.0.attn_q.weight.lora_b").Shape);
        using JsonDocument json = JsonDocument.Parse(run.Output);
        Assert.Equal(28, json.RootElement.GetProperty("tensors").GetInt32());
        Assert.Contains("ADAPTER ./adapter.gguf", File.ReadAllText(json.RootElement.GetProperty("modelfile").GetString()!), StringComparison.Ordinal);
    }

    [Fact]
    public void Dora_alone_is_refused_and_merged_is_exported()
    {
        string adapter = model.NewPath("adapter"), output = model.NewPath("adapter.gguf");
        model.Train(model.Host, adapter, "--use-dora").MustExitWith(ExitCodes.Done);

        CliRun run = model.Run("export", "--model", model.Folder, "--adapter", adapter, "--adapter-only", "--output", output).MustExitWith(ExitCodes.Failed);

        Assert.Contains("the adapter uses DoRA, for which GGUF adapters have no place; export the merged model instead", run.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(output));
        model.Run("export", "--model", model.Folder, "--adapter", adapter, "--output", output).MustExitWith(ExitCodes.Done);
    }

    [Fact]
    public void The_chat_template_is_kept_and_the_modelfile_follows_it()
    {
        string folder = model.NewPath("chat"), output = Path.Combine(folder, "model.gguf");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(TinyModel.Demo))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        const string Template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}";
        File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), Template);
        model.Run("export", "--model", folder, "--output", output).MustExitWith(ExitCodes.Done);

        using GgufFile gguf = GgufFile.Open(output);
        Assert.Equal(Template, gguf.FindText("tokenizer.chat_template"));
        string modelfile = File.ReadAllText(Path.Combine(folder, "Modelfile"));
        Assert.StartsWith("FROM ./model.gguf\nTEMPLATE \"\"\"", modelfile, StringComparison.Ordinal);
        Assert.Contains("PARAMETER stop \"<|im_end|>\"", modelfile, StringComparison.Ordinal);
    }

    [Fact]
    public void Wrong_use_is_refused_in_one_line()
    {
        string existing = model.NewPath("there.gguf");
        Directory.CreateDirectory(Path.GetDirectoryName(existing)!);
        File.WriteAllText(existing, "");

        Assert.Contains("exists already", Refused(ExitCodes.Failed, "--output", existing), StringComparison.Ordinal);
        Assert.Contains("must end in .gguf", Refused(ExitCodes.Usage, "--output", "model.bin"), StringComparison.Ordinal);
        Assert.Contains("--adapter-only needs --adapter", Refused(ExitCodes.Usage, "--output", "a.gguf", "--adapter-only"), StringComparison.Ordinal);
        Assert.Contains("--outtype", Refused(ExitCodes.Usage, "--output", "a.gguf", "--adapter-only", "--adapter", "x", "--outtype", "q8_0"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_without_a_name_in_gguf_is_refused()
    {
        string folder = model.NewPath("odd"), output = model.NewPath("odd.gguf");
        Directory.CreateDirectory(folder);
        foreach (string file in Directory.EnumerateFiles(TinyModel.Demo))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        string tokenizer = Path.Combine(folder, "tokenizer.json");
        File.WriteAllText(tokenizer, File.ReadAllText(tokenizer).Replace("\"individual_digits\": true", "\"individual_digits\": false", StringComparison.Ordinal));

        CliRun run = model.Run("export", "--model", folder, "--output", output).MustExitWith(ExitCodes.Failed);

        Assert.Contains("its way of splitting text into words has no name in GGUF; give one with --pre-tokenizer (llama-bpe, ", run.Error, StringComparison.Ordinal);
        model.Run("export", "--model", folder, "--output", output, "--pre-tokenizer", "smollm").MustExitWith(ExitCodes.Done);
    }

    private string Refused(int code, params string[] args) => model.Run(["export", "--model", model.Folder, .. args]).MustExitWith(code).Error;
}
