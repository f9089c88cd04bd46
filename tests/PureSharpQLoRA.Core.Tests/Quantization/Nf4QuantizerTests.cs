using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Tests.Quantization;

public sealed class Nf4QuantizerTests
{
    public static TheoryData<string> Cases => [.. Nf4Cases.Names];

    [Fact]
    public void Levels_are_those_of_bitsandbytes() => Assert.Equal(Nf4Cases.Floats("nf4_codebook"), Nf4Format.Levels.ToArray());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Codes_and_absolute_maxima_match_bitsandbytes(string name)
    {
        float[] values = Nf4Cases.Floats($"{name}.input");
        var codes = new byte[Nf4Format.CodeBytes(values.Length)];
        var absmax = new float[Nf4Format.Blocks(values.Length)];
        Nf4Quantizer.Quantize(values, codes, absmax);
        Assert.Equal(Nf4Cases.Floats($"{name}.plain.absmax"), absmax);
        Assert.Equal(Nf4Cases.Bytes($"{name}.plain.codes"), codes);

        var onlyMaxima = new float[absmax.Length];
        Nf4Quantizer.AbsoluteMaxima(values, onlyMaxima);
        Assert.Equal(absmax, onlyMaxima);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Decoded_values_match_bitsandbytes(string name)
    {
        var values = new float[Nf4Cases.Floats($"{name}.input").Length];
        Nf4Quantizer.Dequantize(Nf4Cases.Bytes($"{name}.plain.codes"), Nf4Cases.Floats($"{name}.plain.absmax"), values);
        Assert.Equal(Nf4Cases.Floats($"{name}.plain.dequant_formula_f32"), values);
    }

    [Fact]
    public void Every_length_agrees_with_the_definition()
    {
        var random = new Random(1);
        for (int length = 0; length <= 260; length++)
        {
            float[] values = [.. Enumerable.Range(0, length).Select(_ => (float)(random.NextDouble() - 0.5))];
            var codes = new byte[Nf4Format.CodeBytes(length)];
            var absmax = new float[Nf4Format.Blocks(length)];
            Nf4Quantizer.Quantize(values, codes, absmax);
            var decoded = new float[length];
            Nf4Quantizer.Dequantize(codes, absmax, decoded);
            for (int i = 0; i < length; i++)
            {
                int block = i / 64;
                float[] members = values[(64 * block)..Math.Min(length, 64 * (block + 1))];
                float maximum = members.Max(MathF.Abs);
                Assert.Equal(maximum, absmax[block]);
                float scaled = members.Length == 64 ? values[i] * (1 / maximum) : values[i] / maximum;
                int code = Enumerable.Range(0, 15).Count(k => (Nf4Format.Levels[k] + Nf4Format.Levels[k + 1]) / 2 < scaled);
                Assert.Equal(code, i % 2 == 0 ? codes[i / 2] >> 4 : codes[i / 2] & 15);
                Assert.Equal(Nf4Format.Levels[code] * maximum, decoded[i]);
            }

            if (length % 2 == 1)
            {
                Assert.Equal(Nf4Format.ZeroCode, codes[^1] & 15);
            }
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(float.NegativeInfinity)]
    public void A_value_that_is_not_finite_shows_in_the_absolute_maximum(float value)
    {
        for (int at = 0; at < 70; at++)
        {
            var values = new float[70];
            values[at] = value;
            var absmax = new float[2];
            Nf4Quantizer.Quantize(values, new byte[35], absmax);
            Assert.False(float.IsFinite(absmax[at / 64]));
        }
    }

    [Fact]
    public void Wrong_lengths_are_named()
    {
        Assert.Contains("take 32 bytes of codes, not 31", Assert.Throws<ArgumentException>(() => Nf4Quantizer.Quantize(new float[64], new byte[31], new float[1])).Message);
        Assert.Contains("have 2 absolute maxima, not 1", Assert.Throws<ArgumentException>(() => Nf4Quantizer.Dequantize(new byte[33], new float[1], new float[65])).Message);
    }
}
