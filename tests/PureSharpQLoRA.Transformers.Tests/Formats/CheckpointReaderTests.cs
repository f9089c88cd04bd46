using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

public sealed class CheckpointReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Tensors_are_found_in_one_file_or_in_shards(int shards)
    {
        using CheckpointReader reader = CheckpointReader.Open(SmallModel.Write(_folder, "model", shards));
        Assert.Equal(shards, reader.Files.Count);
        Assert.Equal(SmallModel.Tensors.Select(tensor => tensor.Name).Order(), reader.Tensors.Keys.Order());
        foreach ((string name, _) in SmallModel.Tensors)
        {
            var read = new float[reader.Find(name).Entry.Count];
            reader.ReadFloats(name, 0, read);
            Assert.Equal(SmallModel.Values(name), read);
            Assert.False(reader.TryGetNf4(name, out Nf4Entry? entry));
            Assert.Null(entry);
        }

        Assert.Contains("no such tensor", Assert.Throws<WeightFormatException>(() => reader.Find("x")).Message);
    }

    [Fact]
    public void What_is_missing_is_said_in_one_line()
    {
        Fails(_folder.File("none"), "the model folder does not exist");
        string file = _folder.File("file");
        File.WriteAllText(file, "");
        Fails(file, "this is a file");
        Fails(Folder("empty"), "neither model.safetensors nor model.safetensors.index.json");
        Fails(Folder("pickled", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"), "only pickled weights (pytorch_model-00001-of-00002.bin)");
        Fails(Folder("gguf", "model-q4.gguf"), "too few for a GGUF header");
        Fails(Folder("ggufs", "model-q4.gguf", "model-q8.gguf"), "several GGUF files");
        Fails(Folder("adapter", "adapter_model.safetensors"), "holds an adapter");
        Fails(Folder("part", "model-00001-of-00002.safetensors"), "has model-00001-of-00002.safetensors but neither");

        string shards = SmallModel.Write(_folder, "shards", 3);
        File.Delete(Path.Combine(shards, "model-00002-of-00003.safetensors"));
        Fails(shards, "1 of 3 weight files are missing: model-00002-of-00003.safetensors");
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"../x.safetensors"}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":"/etc/x.safetensors"}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":".."}}""", "same folder")]
    [InlineData("""{"weight_map":{"a":7}}""", "same folder")]
    [InlineData("""{"weight_map":{}}""", "is empty")]
    [InlineData("""{"weight_map":[]}""", "no object 'weight_map'")]
    [InlineData("""[]""", "no object 'weight_map'")]
    [InlineData("""{"weight_map":{"\ud800":"x"}}""", "not valid JSON")]
    [InlineData("{\n\"weight_map\":{\"a\":}}", "not valid JSON in line 2")]
    [InlineData("""{"weight_map":{"other":"model-00001-of-00002.safetensors"}}""", "the index says model-00001-of-00002.safetensors holds it")]
    public void A_wrong_index_is_named(string index, string problem)
    {
        string folder = SmallModel.Write(_folder, "model", 2);
        File.WriteAllText(Path.Combine(folder, CheckpointReader.IndexFileName), index);
        Fails(folder, problem);
    }

    [Theory]
    [InlineData("stories260K-bnb-4bit", false)]
    [InlineData("stories260K-bnb-4bit-dq", true)]
    public void Weights_of_bitsandbytes_are_recognised(string model, bool isDoubleQuantized)
    {
        string? folder = TestFiles.InReference("models", model);
        if (folder is null)
        {
            Assert.Skip("The reference models are not beside the repository.");
        }

        using CheckpointReader reader = CheckpointReader.Open(folder);
        Assert.False(reader.TryGetNf4("model.embed_tokens.weight", out _));
        Assert.True(reader.TryGetNf4("model.layers.2.mlp.down_proj.weight", out Nf4Entry? entry));
        Assert.Equal(new Shape(64, 172), entry!.Shape);
        Assert.Equal(DataType.Float32, entry.OriginalType);
        Assert.Equal(isDoubleQuantized, entry.IsDoubleQuantized);
        var codes = new byte[entry.CodeBytes];
        entry.ReadCodes(0, codes);
        var absmax = new float[entry.Blocks];
        entry.ReadAbsmax(absmax);
        var decoded = new float[64 * 172];
        Nf4Quantizer.Dequantize(codes, absmax, decoded);

        using CheckpointReader original = CheckpointReader.Open(TestFiles.InReference("models", "stories260K")!);
        var values = new float[decoded.Length];
        original.ReadFloats("model.layers.2.mlp.down_proj.weight", 0, values);
        double error = 0, norm = 0;
        for (int i = 0; i < values.Length; i++)
        {
            error += Math.Pow(values[i] - decoded[i], 2);
            norm += Math.Pow(values[i], 2);
        }

        Assert.InRange(Math.Sqrt(error / norm), 0.02, 0.12);
    }

    [Fact]
    public void Codes_may_be_stored_under_another_type()
    {
        byte[] state = new Bnb4BitState(DataType.BFloat16, [2, 4], null).ToJson();
        using (var writer = new SafetensorsWriter(
            _folder.File("model.safetensors"),
            [
                new("w.weight", SafetensorsType.BFloat16, 2, 1),
                new("w.weight.absmax", SafetensorsType.Float32, 1),
                new("w.weight.quant_map", SafetensorsType.Float32, 16),
                new("w.weight.quant_state.bitsandbytes__nf4", SafetensorsType.UInt8, state.Length),
            ]))
        {
            writer.Write("w.weight", (ReadOnlySpan<byte>)[0x12, 0x34, 0x56, 0x78]);
            writer.Write("w.weight.absmax", [0.5f]);
            writer.Write("w.weight.quant_map", Nf4Format.Levels);
            writer.Write("w.weight.quant_state.bitsandbytes__nf4", state);
            writer.Complete();
        }

        using CheckpointReader reader = CheckpointReader.Open(_folder.Path);
        Assert.True(reader.TryGetNf4("w.weight", out Nf4Entry? entry));
        Assert.Equal(DataType.BFloat16, entry!.OriginalType);
        var codes = new byte[2];
        entry.ReadCodes(1, codes);
        Assert.Equal([0x34, 0x56], codes);
        var absmax = new float[1];
        entry.ReadAbsmax(absmax);
        Assert.Equal(0.5f, absmax[0]);
    }

    private static void Fails(string folder, string problem)
    {
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => CheckpointReader.Open(folder));
        Assert.Contains(problem, error.Message);
        Assert.StartsWith(folder, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    private string Folder(string name, params string[] files)
    {
        Directory.CreateDirectory(_folder.File(name));
        foreach (string file in files)
        {
            File.WriteAllText(_folder.File(name, file), "");
        }

        return _folder.File(name);
    }
}
