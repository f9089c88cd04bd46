using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats;

public sealed class ModelQuantizerTests : IDisposable
{
    private readonly TemporaryFolder _folder = TestFiles.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false, "stories260K-bnb-4bit")]
    [InlineData(true, "stories260K-bnb-4bit-dq")]
    public void A_real_model_gives_the_very_files_of_bitsandbytes(bool useDoubleQuant, string expected)
    {
        string? source = TestFiles.InReference("models", "stories260K");
        if (source is null)
        {
            Assert.Skip("The reference models are not beside the repository.");
        }

        string target = _folder.File("quantized");
        Quantize(source, target, new ModelQuantizerOptions { UseDoubleQuant = useDoubleQuant });
        foreach (string file in Directory.GetFiles(TestFiles.InReference("models", expected)!))
        {
            Assert.True(File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(target, Path.GetFileName(file)))), $"{Path.GetFileName(file)} differs");
        }
    }

    [Theory]
    [InlineData(false, 1, 1)]
    [InlineData(true, 3, 1)]
    [InlineData(true, 1, 2)]
    public void Piecewise_work_gives_what_whole_tensors_give(bool useDoubleQuant, int shards, int threads)
    {
        string target = _folder.File("new", "quantized");
        var seen = new Progress();
        Quantize(
            SmallModel.Write(_folder, "model", shards), target, new ModelQuantizerOptions { UseDoubleQuant = useDoubleQuant, ChunkElements = 128, Threads = threads }, seen);
        Assert.Equal(["config.json", "model.safetensors", "tokenizer.json"], Directory.GetFiles(target).Select(path => Path.GetFileName(path)).Order());
        Assert.Equal(seen.Last.BytesTotal, seen.Last.BytesDone);
        Assert.Equal([target], Directory.GetFileSystemEntries(_folder.File("new")));

        using CheckpointReader reader = CheckpointReader.Open(target);
        foreach ((string name, long[] shape) in SmallModel.Tensors)
        {
            float[] values = SmallModel.Values(name);
            bool isBlockLinear = name.Contains("layers", StringComparison.Ordinal) && shape.Length == 2;
            Assert.Equal(isBlockLinear, reader.TryGetNf4(name, out Nf4Entry? entry));
            if (!isBlockLinear)
            {
                var read = new float[values.Length];
                reader.ReadFloats(name, 0, read);
                Assert.Equal(values, read);
                continue;
            }

            var codes = new byte[Nf4Format.CodeBytes(values.Length)];
            var absmax = new float[Nf4Format.Blocks(values.Length)];
            Nf4Quantizer.Quantize(values, codes, absmax);
            var readCodes = new byte[entry!.CodeBytes];
            entry.ReadCodes(0, readCodes);
            Assert.Equal(codes, readCodes);
            if (useDoubleQuant)
            {
                var nestedCodes = new byte[absmax.Length];
                var nested = new float[1];
                float offset = DoubleQuantizer.Quantize(absmax, nestedCodes, nested);
                DoubleQuantizer.Dequantize(nestedCodes, DoubleQuantizer.Map, nested, offset, absmax);
            }

            var readAbsmax = new float[entry.Blocks];
            entry.ReadAbsmax(readAbsmax);
            Assert.Equal(absmax, readAbsmax);
        }
    }

    [Fact]
    public void Large_tensors_are_the_same_on_many_threads()
    {
        string source = _folder.File("model");
        Directory.CreateDirectory(source);
        File.WriteAllText(Path.Combine(source, "config.json"), "{}");
        var random = new Random(6);
        float[] values = [.. Enumerable.Range(0, 1001 * 1003).Select(_ => (float)(random.NextDouble() - 0.5))];
        using (var writer = new SafetensorsWriter(Path.Combine(source, "model.safetensors"), [new("layers.0.x.weight", SafetensorsType.Float32, 1001, 1003)]))
        {
            writer.Write("layers.0.x.weight", values);
            writer.Complete();
        }

        Quantize(source, _folder.File("one"), new ModelQuantizerOptions { Threads = 1 });
        Quantize(source, _folder.File("three"), new ModelQuantizerOptions { Threads = 3, ChunkElements = 700_000 });
        Assert.True(File.ReadAllBytes(_folder.File("one", "model.safetensors")).AsSpan().SequenceEqual(File.ReadAllBytes(_folder.File("three", "model.safetensors"))));
    }

    [Fact]
    public void A_cancelled_or_failed_quantisation_leaves_nothing()
    {
        string source = SmallModel.Write(_folder, "model");
        string target = _folder.File("target");
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.Throws<OperationCanceledException>(() => ModelQuantizer.Quantize(source, target, cancellation: cancellation.Token));
        Assert.Equal([source], Directory.GetFileSystemEntries(_folder.Path));

        using (var writer = new SafetensorsWriter(Path.Combine(source, "model.safetensors"), [new("layers.0.x.weight", SafetensorsType.Float32, 2, 3)]))
        {
            writer.Write("layers.0.x.weight", [1, 2, 3, 4, float.NaN, 6]);
            writer.Complete();
        }

        WeightFormatException error = Assert.Throws<WeightFormatException>(() => Quantize(source, target));
        Assert.Contains("tensor 'layers.0.x.weight': element [1, 1] is NaN", error.Message);
        Assert.Equal([source], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void A_target_in_use_and_a_quantised_source_are_refused()
    {
        string source = SmallModel.Write(_folder, "model");
        Assert.Contains("not empty", Assert.Throws<IOException>(() => Quantize(source, source)).Message);
        string target = _folder.File("target");
        Directory.CreateDirectory(target);
        Quantize(source, target);
        Assert.Contains("quantised already", Assert.Throws<WeightFormatException>(() => Quantize(target, _folder.File("again"))).Message);
        File.Delete(Path.Combine(source, "config.json"));
        Assert.Contains("config.json: the file does not exist", Assert.Throws<WeightFormatException>(() => Quantize(source, _folder.File("again"))).Message);
    }

    [Theory]
    [InlineData(1.0, "1.0")]
    [InlineData(0.125, "0.125")]
    [InlineData(0.0001, "9.999999747378752e-05")]
    [InlineData(1e-7, "1.0000000116860974e-07")]
    [InlineData(1e15, "999999986991104.0")]
    [InlineData(3e15, "3000000028082176.0")]
    [InlineData(1e30, "1.0000000150474662e+30")]
    public void Offsets_are_written_as_Python_writes_them(double offset, string expected)
    {
        byte[] json = new Bnb4BitState(DataType.BFloat16, [4, 6], (float)offset).ToJson();
        Assert.Equal(
            $$"""{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [4, 6], "nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": {{expected}}}""",
            System.Text.Encoding.UTF8.GetString(json));
        Assert.Equal((float)offset, Bnb4BitState.Read("f", "w", json).NestedOffset);
    }

    [Theory]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4", "blocksize": 128, "dtype": "float32", "shape": [2, 3]}""", "'blocksize' other than 64")]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4", "blocksize": 64, "dtype": "int8", "shape": [2, 3]}""", "dtype 'int8'")]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [6]}""", "'shape' other than")]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2, 30]}""", "take 30 bytes, but 3 are stored")]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2147483647, 2147483647]}""", "but 3 are stored")]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4"}""", "not the JSON that bitsandbytes writes")]
    [InlineData("quant_state.bitsandbytes__nf4", """no""", "not the JSON that bitsandbytes writes")]
    [InlineData("quant_state.bitsandbytes__nf4", """{"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [2, 3]}""", "'w.weight.absmax' is missing")]
    [InlineData("quant_state.bitsandbytes__fp4", """{}""", "stored as FP4, which is not supported")]
    public void A_wrong_quant_state_is_named(string key, string json, string problem)
    {
        byte[] state = System.Text.Encoding.UTF8.GetBytes(json);
        using (var writer = new SafetensorsWriter(
            _folder.File("model.safetensors"),
            [new("w.weight", SafetensorsType.UInt8, 3, 1), new("w.weight.quant_map", SafetensorsType.Float32, 16), new("w.weight." + key, SafetensorsType.UInt8, state.Length)]))
        {
            writer.Write("w.weight", (ReadOnlySpan<byte>)[1, 2, 3]);
            writer.Write("w.weight.quant_map", Nf4Format.Levels);
            writer.Write("w.weight." + key, state);
            writer.Complete();
        }

        using CheckpointReader reader = CheckpointReader.Open(_folder.Path);
        WeightFormatException error = Assert.Throws<WeightFormatException>(() => reader.TryGetNf4("w.weight", out _));
        Assert.Contains(problem, error.Message);
    }

    private static void Quantize(string source, string target, ModelQuantizerOptions? options = null, IProgress<QuantizationProgress>? progress = null) =>
        ModelQuantizer.Quantize(source, target, options, progress, TestContext.Current.CancellationToken);

    private sealed class Progress : IProgress<QuantizationProgress>
    {
        public QuantizationProgress Last { get; private set; }

        public void Report(QuantizationProgress value)
        {
            Assert.True(value.BytesDone > Last.BytesDone);
            Last = value;
        }
    }
}
