using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Tests.Quantization;

public sealed class HalfPrecisionConvertTests
{
    [Fact]
    public void Every_16_bit_pattern_widens_exactly()
    {
        ushort[] bits = [.. Enumerable.Range(0, 65536).Select(i => (ushort)i)];
        var fromHalf = new float[bits.Length];
        var fromBrain = new float[bits.Length];
        HalfPrecisionConvert.FromFloat16(bits, fromHalf);
        HalfPrecisionConvert.FromBFloat16(bits, fromBrain);
        for (int i = 0; i < bits.Length; i++)
        {
            Assert.Equal(BitConverter.SingleToUInt32Bits((float)BitConverter.UInt16BitsToHalf(bits[i])), BitConverter.SingleToUInt32Bits(fromHalf[i]));
            Assert.Equal((uint)bits[i] << 16, BitConverter.SingleToUInt32Bits(fromBrain[i]));
        }
    }

    [Fact]
    public void Narrowing_rounds_to_nearest_even_everywhere()
    {
        // All exponents and signs with fractions around every kind of tie.
        List<float> values = [];
        for (uint high = 0; high < 0x1_0000; high += 0x10)
        {
            foreach (uint low in new uint[] { 0, 1, 0xfff, 0x1000, 0x1001, 0x2fff, 0x3000, 0x3001, 0x7fff, 0x8000, 0x8001, 0x1_7fff, 0x1_8000, 0x1_8001 })
            {
                values.Add(BitConverter.UInt32BitsToSingle((high << 16) + low));
            }
        }

        var random = new Random(4);
        for (int i = 0; i < 100_000; i++)
        {
            values.Add(BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)));
        }

        var half = new ushort[values.Count];
        var brain = new ushort[values.Count];
        HalfPrecisionConvert.ToFloat16(values.ToArray(), half);
        HalfPrecisionConvert.ToBFloat16(values.ToArray(), brain);
        for (int i = 0; i < values.Count; i++)
        {
            ushort expectedHalf = BitConverter.HalfToUInt16Bits((Half)values[i]);
            Assert.True(expectedHalf == half[i], $"{BitConverter.SingleToUInt32Bits(values[i]):x8}: fp16 {half[i]:x4}, expected {expectedHalf:x4}");
            ushort expectedBrain = NearestBrain(values[i]);
            Assert.True(expectedBrain == brain[i], $"{BitConverter.SingleToUInt32Bits(values[i]):x8}: bf16 {brain[i]:x4}, expected {expectedBrain:x4}");
        }
    }

    [Fact]
    public void Every_length_is_converted()
    {
        for (int length = 0; length <= 256; length++)
        {
            float[] values = [.. Enumerable.Range(0, length).Select(i => i - 128f)];
            var bits = new ushort[length];
            var back = new float[length];
            HalfPrecisionConvert.ToFloat16(values, bits);
            HalfPrecisionConvert.FromFloat16(bits, back);
            Assert.Equal(values, back);
            HalfPrecisionConvert.ToBFloat16(values, bits);
            HalfPrecisionConvert.FromBFloat16(bits, back);
            Assert.Equal(values, back);
        }
    }

    /// <summary>Found by comparing distances to the two neighbours in double, without bit tricks on the sum.</summary>
    private static ushort NearestBrain(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        ushort down = (ushort)(bits >> 16);
        if (float.IsNaN(value))
        {
            return (ushort)(down | 0x40);
        }

        if (float.IsInfinity(value) || (bits & 0xffff) == 0)
        {
            return down;
        }

        ushort up = (ushort)(down + 1);
        double lower = BitConverter.UInt32BitsToSingle((uint)down << 16), exact = value;

        // Beyond the largest number the next step of the same size counts as infinity.
        double upper = (up & 0x7fff) == 0x7f80 ? Math.CopySign(Math.Pow(2, 128), value) : BitConverter.UInt32BitsToSingle((uint)up << 16);
        double toLower = Math.Abs(exact - lower), toUpper = Math.Abs(upper - exact);
        return toLower < toUpper ? down : toUpper < toLower ? up : (down & 1) == 0 ? down : up;
    }
}
