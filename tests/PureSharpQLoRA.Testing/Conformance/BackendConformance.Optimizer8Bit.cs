using PureSharpQLoRA.Core;
using PureSharpQLoRA.Core.Quantization;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    /// <summary>One step from random codes, with a last block that is not full; and from moments that are all zero.</summary>
    [Theory]
    [InlineData(0, 1e-3, 1, 3)]
    [InlineData(0.1, 1e-2, 0.37f, 100)]
    public void AdamW_with_moments_in_8_bits(double decay, double rate, float gradientScale, int number)
    {
        foreach (Shape shape in new[] { new Shape(1), new Shape(255), new Shape(256), new Shape(257), new Shape(31, 33), new Shape(16, 288), new Shape(129, 65) })
        {
            if (!IsTooLarge(shape.Count))
            {
                CheckAdamW8Bit(shape, new AdamWStep(rate, 0.9, 0.999, 1e-8, decay, number), gradientScale, isFirst: false);
                CheckAdamW8Bit(shape, new AdamWStep(rate, 0.9, 0.999, 1e-8, decay, 1), gradientScale, isFirst: true);
            }
        }
    }

    [Fact]
    public void AdamW_with_moments_in_8_bits_changes_nothing_when_a_gradient_is_not_finite()
    {
        var shape = new Shape(300);
        double[] p = RandomValues(300), maxima = [0.5, 0.25];
        byte[] codes = RandomCodes(300);
        GuardedOutput parameter = Output(shape, p), first = Output(new Shape(2), maxima), second = Output(new Shape(2), maxima);
        Tensor firstCodes = Bytes(codes), secondCodes = Bytes(codes), control = Operand(StepControl.Shape, [double.NaN, double.NaN, 0, 0]).Tensor;
        Operand gradient = Operand(shape, [.. Enumerable.Repeat(double.NaN, 300)]);
        var step = new AdamWStep(1e-3, 0.9, 0.999, 1e-8, 0.1, 3);
        Backend.AdamW8Bit(parameter.Tensor, gradient.Tensor, firstCodes, first.Tensor, secondCodes, second.Tensor, step, control);
        Assert.Equal(p, parameter.Read());
        Assert.Equal(maxima, first.Read());
        Assert.Equal(maxima, second.Read());
        Assert.Equal(codes, ReadBytes(firstCodes));
        Assert.Equal(codes, ReadBytes(secondCodes));
    }

    private void CheckAdamW8Bit(Shape shape, AdamWStep step, float gradientScale, bool isFirst)
    {
        int count = (int)shape.Count, blocks = EightBitMoments.Blocks(count);
        double[] p = RandomValues(count);

        // Gradients of very different sizes, some zero, and a block of zeros.
        double[] g = [.. RandomValues(count).Select((value, i) => (double)(float)(i % 5 == 4 || (isFirst && i / 256 == 1) ? 0 : value * Math.Pow(10, -(i % 4))))];
        byte[] codes1 = isFirst ? new byte[count] : RandomCodes(count), codes2 = isFirst ? new byte[count] : RandomCodes(count);
        double[] maxima1 = Maxima(0.3), maxima2 = Maxima(0.01);
        double[] m = ReferenceEightBit.Decode(codes1, maxima1, DynamicMap.Signed), v = ReferenceEightBit.Decode(codes2, maxima2, DynamicMap.Unsigned);

        GuardedOutput parameter = Output(shape, p), first = Output(new Shape(blocks), maxima1), second = Output(new Shape(blocks), maxima2);
        (Tensor guarded1, Tensor firstCodes) = GuardedBytes(shape, codes1);
        (Tensor guarded2, Tensor secondCodes) = GuardedBytes(shape, codes2);
        Tensor control = Operand(StepControl.Shape, [1, gradientScale, 1, -1]).Tensor;
        Backend.AdamW8Bit(parameter.Tensor, Operand(shape, g).Tensor, firstCodes, first.Tensor, secondCodes, second.Tensor, step, control);

        ReferenceAdamW.Step(p, g, m, v, step, gradientScale);
        FormattableString what = $"{shape}, step {step.Step}";
        parameter.AssertClose(p, Bounds.Optimizer8Bit, what);
        first.AssertClose(ReferenceEightBit.Maxima(m), Bounds.Optimizer8Bit, what);
        second.AssertClose(ReferenceEightBit.Maxima(v), Bounds.Optimizer8Bit, what);
        AssertNearest(m, guarded1, DynamicMap.Signed);
        AssertNearest(v, guarded2, DynamicMap.Unsigned);
        Scope.Reset();

        double[] Maxima(double amplitude) => isFirst ? new double[blocks] : [.. RandomValues(blocks).Select(value => (double)(float)(amplitude * (1.5 + value)))];

        void AssertNearest(double[] moments, Tensor guarded, ReadOnlySpan<float> map)
        {
            byte[] all = ReadBytes(guarded);
            Assert.All(all[..256].Concat(all[^256..]), value => Assert.Equal(0xA5, value));
            double farther = ReferenceEightBit.WorstExcess(moments, all[256..^256], map);
            Assert.True(farther <= Bounds.CodeDistance, $"{shape}, step {step.Step}: a code is {farther:E2} of its block's maximum farther than the nearest");
        }
    }

    private byte[] RandomCodes(int count)
    {
        var codes = new byte[count];
        _random.NextBytes(codes);
        return codes;
    }

    private Tensor Bytes(byte[] values)
    {
        Tensor tensor = Scope.Allocate(new Shape(values.Length), DataType.UInt8);
        Backend.Upload(values, tensor);
        return tensor;
    }

    /// <summary>Bytes among others that nobody may touch.</summary>
    private (Tensor Whole, Tensor Inner) GuardedBytes(Shape shape, byte[] values)
    {
        Tensor whole = Bytes([.. Enumerable.Repeat((byte)0xA5, 256), .. values, .. Enumerable.Repeat((byte)0xA5, 256)]);
        return (whole, Scope.Wrap(shape, DataType.UInt8, whole.Buffer!, 256));
    }

    private byte[] ReadBytes(Tensor tensor)
    {
        var values = new byte[tensor.Bytes];
        Backend.Download(tensor, values);
        return values;
    }
}
