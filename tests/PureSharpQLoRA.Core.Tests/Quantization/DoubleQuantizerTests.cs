using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Tests.Quantization;

public sealed class DoubleQuantizerTests
{
    public static TheoryData<string> Cases => [.. Nf4Cases.Names];

    [Fact]
    public void The_map_is_that_of_bitsandbytes() => Assert.Equal(Nf4Cases.Floats("nested_code_dynamic_map_256"), DoubleQuantizer.Map.ToArray());

    [Theory]
    [MemberData(nameof(Cases))]
    public void Statistics_match_bitsandbytes(string name)
    {
        float[] absmax = Nf4Cases.Floats($"{name}.plain.absmax");
        var codes = new byte[absmax.Length];
        var nested = new float[Nf4Format.NestedBlocks(absmax.Length)];
        float offset = DoubleQuantizer.Quantize(absmax, codes, nested);
        Assert.Equal(Nf4Cases.Floats($"{name}.dq.offset")[0], offset);
        Assert.Equal(Nf4Cases.Floats($"{name}.dq.nested_absmax"), nested);
        Assert.Equal(Nf4Cases.Bytes($"{name}.dq.absmax_u8"), codes);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Decoded_statistics_match_bitsandbytes(string name)
    {
        byte[] codes = Nf4Cases.Bytes($"{name}.dq.absmax_u8");
        var absmax = new float[codes.Length];
        DoubleQuantizer.Dequantize(
            codes, DoubleQuantizer.Map, Nf4Cases.Floats($"{name}.dq.nested_absmax"), Nf4Cases.Floats($"{name}.dq.offset")[0], absmax);
        Assert.Equal(Nf4Cases.Floats($"{name}.dq.absmax_reconstructed"), absmax);
    }

    [Fact]
    public void The_nearest_map_value_is_chosen_as_far_as_16_bits_tell()
    {
        var random = new Random(2);
        float[] absmax = [.. Enumerable.Range(0, 1000).Select(_ => (float)random.NextDouble())];
        var codes = new byte[1000];
        var nested = new float[4];
        float offset = DoubleQuantizer.Quantize(absmax, codes, nested);
        for (int i = 0; i < absmax.Length; i++)
        {
            float scaled = (absmax[i] - offset) / nested[i / 256];
            float best = float.MaxValue;
            foreach (float value in DoubleQuantizer.Map)
            {
                best = MathF.Min(best, MathF.Abs(value - scaled));
            }

            Assert.Equal(best, MathF.Abs(DoubleQuantizer.Map[codes[i]] - scaled), 1 / 32767f);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(100_003)]
    [InlineData(2_000_000)]
    public void The_offset_is_the_mean(int count)
    {
        var random = new Random(3);
        float[] absmax = [.. Enumerable.Range(0, count).Select(_ => (float)random.NextDouble())];
        double mean = absmax.Average(value => (double)value);
        Assert.Equal(mean, DoubleQuantizer.Offset(absmax), mean * 3e-7);
    }
}
