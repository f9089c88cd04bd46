using System.Runtime.InteropServices;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    /// <summary>Ties to even, subnormal numbers, the largest that do not overflow, and those that do.</summary>
    private static float[] SpecialValues =>
    [
        0, -0f, 1, -1, float.PositiveInfinity, float.NegativeInfinity, float.Epsilon, float.MaxValue, float.MinValue, 65504, 65519.996f, 65520, -65520,
        6.1035156e-5f, 6.0975552e-5f, 5.9604645e-8f, 2.9802322e-8f, 2.9802326e-8f, 1.00390625f, 1.01171875f, 1.0039063f, 1.00048828125f,
        1.00146484375f, 2049, 2051, 1e-40f, 3.3895314e38f, 3.3961776e38f, MathF.PI, -1f / 3,
    ];

    [Fact]
    public void Sums_of_tensors()
    {
        foreach (int tokens in TokenCounts)
        {
            foreach (int width in Widths)
            {
                var shape = new Shape(tokens, width);
                if (IsTooLarge(shape.Count))
                {
                    continue;
                }

                Operand a = Activation(shape), b = Activation(shape);
                double[] exact = ReferenceElementwise.Add(a.Values, b.Values);
                GuardedOutput y = ActivationOutput(shape);
                Backend.Add(a.Tensor, b.Tensor, y.Tensor);
                y.AssertClose(exact, Bounds.Elementwise, $"{shape}");

                y = ActivationOutput(shape, b.Values);
                Backend.Add(a.Tensor, y.Tensor, y.Tensor);
                y.AssertClose(exact, Bounds.Elementwise, $"in place, {shape}");

                y = ActivationOutput(shape, b.Values);
                Backend.AddScaled(a.Tensor, -0.3f, y.Tensor);
                y.AssertClose(ReferenceElementwise.AddScaled(b.Values, a.Values, -0.3f), Bounds.Elementwise, $"scaled, {shape}");

                foreach (GuardedOutput filled in new[] { Output(shape), ActivationOutput(shape) })
                {
                    Backend.Fill(filled.Tensor, 1.25f);
                    Assert.All(filled.Read(), value => Assert.Equal(1.25, value));
                }

                Scope.Reset();
            }
        }
    }

    [Theory]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    public void Copies_round_to_nearest_even_and_back(DataType type)
    {
        bool brain = type == DataType.BFloat16;
        for (int count = 1; count <= 70; count++)
        {
            CheckCopy([.. RandomValues(count, 3).Select(value => (float)value)]);
        }

        CheckCopy(SpecialValues);
        CheckCopy([float.NaN, -float.NaN]);

        void CheckCopy(float[] values)
        {
            Tensor from = Scope.Allocate(new Shape(values.Length)), half = Scope.Allocate(new Shape(values.Length), type);
            Backend.Upload(values, from);
            Backend.Copy(from, half);
            var bits = new ushort[values.Length];
            Backend.Download(half, MemoryMarshal.AsBytes(bits.AsSpan()));
            float[] rounded = [.. bits.Select(b => brain ? ReferenceHalves.FromBFloat16(b) : ReferenceHalves.FromFloat16(b))];
            for (int i = 0; i < values.Length; i++)
            {
                ushort exact = brain ? ReferenceHalves.ToBFloat16(values[i]) : ReferenceHalves.ToFloat16(values[i]);
                Assert.True(float.IsNaN(values[i]) ? float.IsNaN(rounded[i]) : exact == bits[i], $"{values[i]:R}: {bits[i]:X4}, not {exact:X4}");
            }

            GuardedOutput back = Output(new Shape(values.Length));
            Backend.Copy(half, back.Tensor);
            Assert.Equal(rounded.Select(value => (double)value), back.Read());
            Scope.Reset();
        }
    }

    [Fact]
    public void Copies_between_equal_types_keep_every_bit()
    {
        Operand x = Random(33, 17);
        GuardedOutput y = Output(new Shape(17, 33));
        Backend.Copy(x.Tensor, y.Tensor);
        Assert.Equal(x.Values, y.Read());
        Assert.Throws<ShapeException>(() => Backend.Copy(x.Tensor, Output(new Shape(17, 32)).Tensor));

        int[] numbers = RandomIds(33, int.MaxValue);
        Tensor copy = Scope.Allocate(new Shape(33), DataType.Int32);
        Backend.Copy(Integers(numbers), copy);
        var read = new int[33];
        Backend.Download(copy, MemoryMarshal.AsBytes(read.AsSpan()));
        Assert.Equal(numbers, read);
        Assert.Throws<ShapeException>(() => Backend.Copy(copy, Scope.Allocate(new Shape(33))));
    }

    [Fact]
    public void Bytes_that_are_uploaded_come_back()
    {
        foreach (DataType type in Enum.GetValues<DataType>())
        {
            Tensor tensor = Scope.Allocate(new Shape(3, 17), type);
            var bytes = new byte[tensor.Bytes];
            _random.NextBytes(bytes);
            Backend.Upload(bytes, tensor);
            var read = new byte[bytes.Length];
            Backend.Download(tensor, read);
            Assert.Equal(bytes, read);
            Assert.Throws<ShapeException>(() => Backend.Upload(bytes.AsSpan(1), tensor));
            Assert.Throws<ShapeException>(() => Backend.Download(tensor, new byte[bytes.Length + 1]));
        }
    }

    /// <summary>In the order of operations: what is copied is what the tensor held, and its memory can be used again at once.</summary>
    [Fact]
    public void Tensors_set_aside_in_the_hosts_memory_come_back()
    {
        Assert.SkipWhen(Backend.HostMemory is null, "The backend has no host memory beside its own.");
        using var host = new TensorScope(Backend.HostMemory, MemoryPurpose.Activations);
        for (int round = 0; round < 3; round++)
        {
            Operand x = Activation(33, 64), other = Activation(17, 5);
            Tensor first = host.Allocate(x.Tensor.Shape, Activations), second = host.Allocate(other.Tensor.Shape, Activations);
            Backend.CopyToHost(x.Tensor, first);
            Backend.Fill(x.Tensor, 7);
            Backend.CopyToHost(other.Tensor, second);
            GuardedOutput y = ActivationOutput(x.Tensor.Shape), z = ActivationOutput(other.Tensor.Shape);
            Backend.CopyFromHost(second, z.Tensor);
            Backend.CopyFromHost(first, y.Tensor);
            Assert.Equal(x.Values, y.Read());
            Assert.Equal(other.Values, z.Read());
            host.Reset();
            Scope.Reset();
        }

        Assert.Equal(0, Backend.HostMemory!.BytesInUse);
    }

    [Fact]
    public void Sums_over_tensors_are_exact_to_double_and_the_same_every_time()
    {
        foreach (int count in new[] { 1, 3, 15, 17, 33, 129, 8191, 8192, 8193, 100_003 })
        {
            if (IsTooLarge(count))
            {
                continue;
            }

            Operand x = Random(new Shape(count));
            GuardedOutput total = Output(ElementwiseOps.TotalShape, [0, 0]);
            Backend.AddSum(x.Tensor, total.Tensor);
            double[] once = total.Read();
            Backend.AddSum(x.Tensor, total.Tensor);
            double[] twice = total.Read();

            // Against the sum of the magnitudes: the terms of a sum cancel.
            double exact = ReferenceElementwise.Sum(x.Values), magnitude = x.Values.Sum(Math.Abs);
            Assert.True(Math.Abs(once.Sum() - exact) <= Bounds.Sum * magnitude, $"{count} elements: {once.Sum():R} for {exact:R}");
            Assert.True(Math.Abs(twice.Sum() - (2 * exact)) <= Bounds.Sum * 2 * magnitude, $"{count} elements, twice: {twice.Sum():R} for {2 * exact:R}");
            Assert.Equal((float)once.Sum(), once[0]);
            for (int again = 0; again < 5; again++)
            {
                GuardedOutput other = Output(ElementwiseOps.TotalShape, [0, 0]);
                Backend.AddSum(x.Tensor, other.Tensor);
                Assert.Equal(once, other.Read());
            }

            Scope.Reset();
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void A_sum_shows_an_element_that_is_not_finite(float bad)
    {
        double[] values = RandomValues(1000);
        values[777] = bad;
        GuardedOutput total = Output(ElementwiseOps.TotalShape, [1, 0]);
        Backend.AddSum(Operand(new Shape(1000), values).Tensor, total.Tensor);
        Assert.False(double.IsFinite(total.Read().Sum()));
        Assert.False(double.IsFinite(Backend.ReadTotal(total.Tensor)));
    }
}
