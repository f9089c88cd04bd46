using PureSharpQLoRA.Testing;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers.Tests.Formats.Gguf;

/// <summary>The reference figures were made by ggml's own quantisers: see the file's metadata.</summary>
public sealed class GgufCodecTests : IDisposable
{
    private readonly SafetensorsFile _reference =
        SafetensorsFile.Open(TestFiles.InRepository("tests", "PureSharpQLoRA.Transformers.Tests", "Data", "gguf-blocks.safetensors"));

    [Theory]
    [InlineData(GgufTensorType.Q80, "q8_0")]
    [InlineData(GgufTensorType.Q40, "q4_0")]
    public void Codes_are_those_of_ggml(GgufTensorType type, string name)
    {
        float[] values = Floats("values");
        var expected = new byte[_reference.Find(name).Bytes];
        _reference.ReadBytes(_reference.Find(name), 0, expected);
        var codes = new byte[expected.Length];

        GgufCodec.Encode(type, values, codes);

        Assert.Equal(expected, codes);
    }

    [Theory]
    [InlineData(GgufTensorType.Q80, "q8_0")]
    [InlineData(GgufTensorType.Q40, "q4_0")]
    public void Values_are_those_of_ggml(GgufTensorType type, string name)
    {
        var codes = new byte[_reference.Find(name).Bytes];
        _reference.ReadBytes(_reference.Find(name), 0, codes);
        float[] expected = Floats(name + "_decoded");
        var values = new float[expected.Length];

        GgufCodec.Decode(type, codes, values);

        Assert.Equal(expected.Select(BitConverter.SingleToUInt32Bits), values.Select(BitConverter.SingleToUInt32Bits));
    }

    [Theory]
    [InlineData(GgufTensorType.Float32, 0)]
    [InlineData(GgufTensorType.Float16, 1.0 / 2048)]
    [InlineData(GgufTensorType.BFloat16, 1.0 / 256)]
    [InlineData(GgufTensorType.Q80, (0.5 / 127) + (1.0 / 2048))]
    [InlineData(GgufTensorType.Q40, (1.0 / 8) + (1.0 / 2048))]
    public void What_is_encoded_comes_back_within_the_type_s_precision(GgufTensorType type, double bound)
    {
        var random = new Random(3);
        float[] values = [.. Enumerable.Range(0, 32 * 50).Select(_ => (float)(random.NextDouble() - 0.5))];
        var bytes = new byte[type.Bytes(values.Length)];
        var decoded = new float[values.Length];

        GgufCodec.Encode(type, values, bytes);
        GgufCodec.Decode(type, bytes, decoded);

        Assert.True(values.Zip(decoded, (a, b) => Math.Abs(a - b)).Max() <= 0.5 * bound + 1e-30);
    }

    [Fact]
    public void Lengths_that_do_not_fit_are_refused()
    {
        Assert.Throws<ArgumentException>(() => GgufCodec.Encode(GgufTensorType.Q80, new float[31], new byte[34]));
        Assert.Throws<ArgumentException>(() => GgufCodec.Decode(GgufTensorType.Q40, new byte[17], new float[32]));
        Assert.Throws<ArgumentException>(() => GgufCodec.Decode((GgufTensorType)12, new byte[144], new float[256]));
    }

    public void Dispose() => _reference.Dispose();

    private float[] Floats(string name)
    {
        var values = new float[_reference.Find(name).Count];
        _reference.ReadFloats(_reference.Find(name), 0, values);
        return values;
    }
}
