using System.Text.Json;

namespace PureSharpQLoRA.Cli.Tests;

public sealed class InspectTests(TinyModel model) : IClassFixture<TinyModel>
{
    [Fact]
    public void A_model_is_shown_with_its_config_and_tensors()
    {
        JsonElement found = Look(model.Folder);

        Assert.Equal("model", found.GetProperty("kind").GetString());
        Assert.Equal("llama", found.GetProperty("config").GetProperty("model_type").GetString());
        Assert.Equal(2 + (2 * 9), found.GetProperty("tensors").GetArrayLength());
        Assert.Equal(4 * found.GetProperty("total_parameters").GetInt64(), found.GetProperty("total_bytes").GetInt64());
        Assert.Contains("model.norm.weight", model.Run("inspect", model.Folder).MustExitWith(ExitCodes.Done).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_4_bit_model_counts_the_numbers_that_its_codes_stand_for()
    {
        string quantized = model.NewPath("4bit");
        model.Run("quantize", "--model", model.Folder, "--output-dir", quantized).MustExitWith(ExitCodes.Done);

        JsonElement found = Look(quantized);

        Assert.Equal("model in 4 bits (bitsandbytes NF4)", found.GetProperty("kind").GetString());
        Assert.Equal(14, found.GetProperty("quantization").GetProperty("double_quantized_weights").GetInt32());
        Assert.Equal(Look(model.Folder).GetProperty("total_parameters").GetInt64(), found.GetProperty("total_parameters").GetInt64());
    }

    [Fact]
    public void Adapters_and_checkpoints_are_shown_with_their_settings()
    {
        string adapter = model.NewPath("adapter");
        model.Train(model.Host, adapter, "--save-steps", "3", "--lora-alpha", "12").MustExitWith(ExitCodes.Done);

        JsonElement found = Look(adapter), checkpoint = Look(Path.Combine(adapter, "checkpoint-3"));

        Assert.Equal("adapter", found.GetProperty("kind").GetString());
        Assert.Equal((4, 12, 3), (found.GetProperty("adapter").GetProperty("r").GetInt32(), found.GetProperty("adapter").GetProperty("lora_alpha").GetInt32(), found.GetProperty("adapter").GetProperty("scale").GetInt32()));
        Assert.Equal(28, found.GetProperty("tensors").GetArrayLength());
        Assert.Equal("checkpoint of an adapter", checkpoint.GetProperty("kind").GetString());
        Assert.True(checkpoint.TryGetProperty("trainer_state", out _));
    }

    [Fact]
    public void A_gguf_file_is_shown_with_its_metadata()
    {
        JsonElement found = Look(model.Export(model.Folder, "--outtype", "q8_0"));

        Assert.Equal("GGUF model", found.GetProperty("kind").GetString());
        Assert.Equal(2, found.GetProperty("metadata").GetProperty("llama.block_count").GetInt32());
        Assert.Equal("[512 of Text]", found.GetProperty("metadata").GetProperty("tokenizer.ggml.tokens").GetString());
        JsonElement tensor = found.GetProperty("tensors").EnumerateArray().Single(tensor => tensor.GetProperty("name").GetString() == "blk.1.ffn_down.weight");
        Assert.Equal("Q8_0", tensor.GetProperty("dtype").GetString());
        Assert.Equal(32 * 64 / 32 * 34, tensor.GetProperty("bytes").GetInt32());
    }

    [Fact]
    public void What_is_nothing_known_is_refused()
    {
        Assert.Contains("is neither a folder nor a .gguf or .safetensors file", model.Run("inspect", "nowhere").MustExitWith(ExitCodes.Failed).Error, StringComparison.Ordinal);
        Assert.Contains("--path is missing", model.Run("inspect").MustExitWith(ExitCodes.Usage).Error, StringComparison.Ordinal);
    }

    private JsonElement Look(string path)
    {
        using JsonDocument json = JsonDocument.Parse(model.Run("inspect", path, "--json").MustExitWith(ExitCodes.Done).Output);
        return json.RootElement.Clone();
    }
}
