using PureSharpQLoRA.Core;
using PureSharpQLoRA.Testing.ReferenceOps;

namespace PureSharpQLoRA.Testing.Conformance;

public abstract partial class BackendConformance
{
    [Theory]
    [InlineData(1e-5f, 1)]
    [InlineData(1e-6f, 30)]
    [InlineData(1e-2f, 0.01)]
    public void RmsNorm(float epsilon, double amplitude)
    {
        foreach ((Shape shape, int size) in NormCases())
        {
            Operand x = Activation(shape, amplitude), weight = Random(new Shape(size));
            GuardedOutput y = ActivationOutput(shape);
            Backend.RmsNorm(x.Tensor, weight.Tensor, y.Tensor, epsilon);
            y.AssertClose(ReferenceRmsNorm.Forward(x.Values, weight.Values, epsilon), Bounds.RmsNorm, $"{shape}, groups of {size}");
            Scope.Reset();
        }
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public void RmsNorm_backward(bool accumulateX, bool accumulateWeight)
    {
        const float Epsilon = 1e-5f;
        foreach ((Shape shape, int size) in NormCases())
        {
            Operand x = Activation(shape), weight = Random(new Shape(size)), dy = Activation(shape);
            (double[] forX, double[] forWeight) = ReferenceRmsNorm.Backward(x.Values, weight.Values, dy.Values, Epsilon);
            double[]? beforeX = accumulateX ? RandomActivations(forX.Length) : null, beforeWeight = accumulateWeight ? RandomValues(size) : null;
            double[] exactX = beforeX is null ? forX : ReferenceElementwise.Add(beforeX, forX);
            double[] exactWeight = beforeWeight is null ? forWeight : ReferenceElementwise.Add(beforeWeight, forWeight);

            // A term of the weight's gradient is dy times the normalised x.
            double[] ones = [.. Enumerable.Repeat(1.0, size)];
            double[] terms = [.. ReferenceRmsNorm.Forward(x.Values, ones, Epsilon).Zip(dy.Values, (normalised, gradient) => normalised * gradient)];
            double[] scale = ReferenceElementwise.Root(ReferenceProducts.SumRows(ReferenceElementwise.Square(terms), size));

            GuardedOutput dx = ActivationOutput(shape, beforeX), dWeight = Output(new Shape(size), beforeWeight);
            Backend.RmsNormBackward(x.Tensor, weight.Tensor, dy.Tensor, Epsilon, dx.Tensor, accumulateX, dWeight.Tensor, accumulateWeight);
            Check(dx, dWeight);

            dx = ActivationOutput(shape, beforeX);
            Backend.RmsNormBackward(x.Tensor, weight.Tensor, dy.Tensor, Epsilon, dx.Tensor, accumulateX, null, false);
            Check(dx, null);

            dWeight = Output(new Shape(size), beforeWeight);
            Backend.RmsNormBackward(x.Tensor, weight.Tensor, dy.Tensor, Epsilon, null, false, dWeight.Tensor, accumulateWeight);
            Check(null, dWeight);
            Scope.Reset();

            // A group of one value is normalised to its sign: the gradient is what the cancellation of two terms leaves.
            void Check(GuardedOutput? dx, GuardedOutput? dWeight)
            {
                if (dx is not null && size > 1)
                {
                    dx.AssertClose(exactX, Bounds.RmsNorm, $"dx, {shape}, groups of {size}");
                }

                if (dWeight is not null)
                {
                    dWeight.AssertCloseFor(scale, exactWeight, Bounds.ColumnSum, $"dWeight, {shape}, groups of {size}");
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    [InlineData(200)]
    public void SwiGlu(double amplitude)
    {
        foreach ((Shape shape, _) in NormCases())
        {
            Operand gate = Activation(shape, amplitude), up = Activation(shape), dy = Activation(shape);
            GuardedOutput y = ActivationOutput(shape);
            Backend.SwiGlu(gate.Tensor, up.Tensor, y.Tensor);
            y.AssertClose(ReferenceSwiGlu.Forward(gate.Values, up.Values), Bounds.SwiGlu, $"{shape}");

            (double[] forGate, double[] forUp) = ReferenceSwiGlu.Backward(gate.Values, up.Values, dy.Values);
            GuardedOutput dGate = ActivationOutput(shape), dUp = ActivationOutput(shape);
            Backend.SwiGluBackward(gate.Tensor, up.Tensor, dy.Tensor, dGate.Tensor, dUp.Tensor);
            dGate.AssertClose(forGate, Bounds.SwiGlu, $"dGate, {shape}");
            dUp.AssertClose(forUp, Bounds.SwiGlu, $"dUp, {shape}");

            GuardedOutput inPlace = ActivationOutput(shape, dy.Values);
            dGate = ActivationOutput(shape);
            Backend.SwiGluBackward(gate.Tensor, up.Tensor, inPlace.Tensor, dGate.Tensor, inPlace.Tensor);
            dGate.AssertClose(forGate, Bounds.SwiGlu, $"dGate, dUp in place of dy, {shape}");
            inPlace.AssertClose(forUp, Bounds.SwiGlu, $"dUp in place of dy, {shape}");
            Scope.Reset();
        }
    }

    [Theory]
    [InlineData(2, 3)]
    [InlineData(6, 2)]
    [InlineData(8, 4)]
    [InlineData(48, 3)]
    [InlineData(64, 4)]
    [InlineData(80, 1)]
    [InlineData(128, 2)]
    public void Rotation(int headSize, int heads)
    {
        const int Positions = 200;
        double[] angles = RandomValues(Positions * headSize / 2, Math.PI);
        var table = new Shape(Positions, headSize / 2);
        Operand cosines = Operand(table, [.. angles.Select(angle => (double)(float)Math.Cos(angle))]);
        Operand sines = Operand(table, [.. angles.Select(angle => (double)(float)Math.Sin(angle))]);
        foreach (int tokens in TokenCounts)
        {
            int[] positions = RandomIds(tokens, Positions);
            if (IsTooLarge((long)tokens * heads * headSize))
            {
                continue;
            }

            double[] x = RandomActivations(tokens * heads * headSize);
            foreach (bool inverse in new[] { false, true })
            {
                GuardedOutput y = ActivationOutput(new Shape(tokens, heads * headSize), x);
                Backend.Rotate(y.Tensor, cosines.Tensor, sines.Tensor, positions, headSize, inverse);
                double[] exact = ReferenceRotary.Rotate(x, cosines.Values, sines.Values, positions, headSize, inverse);
                y.AssertClose(exact, Bounds.Elementwise, $"{tokens} tokens, inverse {inverse}");
            }
        }
    }

    [Theory]
    [InlineData(DataType.Float32)]
    [InlineData(DataType.Float16)]
    [InlineData(DataType.BFloat16)]
    public void Gathered_rows_are_exact_but_for_their_type(DataType type)
    {
        foreach (int width in Widths)
        {
            foreach (int tokens in TokenCounts)
            {
                if (IsTooLarge((long)tokens * width))
                {
                    continue;
                }

                Operand table = Random(50, width, type);
                int[] ids = RandomIds(tokens, 50);
                GuardedOutput y = ActivationOutput(new Shape(tokens, width));
                Backend.Gather(table.Tensor, Integers(ids), y.Tensor);
                double[] rows = ReferenceEmbedding.Gather(table.Values, ids, width);
                Assert.Equal(rows.Select(value => (double)ReferenceHalves.Round((float)value, Activations)), y.Read());
                Scope.Reset();
            }
        }
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(50)]
    [InlineData(int.MinValue)]
    public void An_id_outside_the_table_is_refused_or_shows(int id)
    {
        Operand table = Random(50, 16);
        GuardedOutput y = ActivationOutput(new Shape(3, 16));
        if (Backend.SharesHostMemory)
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => Backend.Gather(table.Tensor, Integers([0, id, 49]), y.Tensor));
            return;
        }

        y = ActivationOutput(new Shape(3, 16), new double[3 * 16]);
        Backend.Gather(table.Tensor, Integers([0, id, 49]), y.Tensor);
        double[] rows = y.Read();
        Assert.All(rows[16..32], value => Assert.True(double.IsNaN(value)));
        Assert.All(rows[..16], value => Assert.True(double.IsFinite(value)));
        Assert.All(rows[32..], value => Assert.True(double.IsFinite(value)));
    }

    [Fact]
    public void Scattered_rows_are_added()
    {
        foreach (int width in Widths)
        {
            foreach (int tokens in TokenCounts)
            {
                if (IsTooLarge((long)tokens * width))
                {
                    continue;
                }

                // Far fewer rows than tokens, so that rows are named again and again.
                Operand dy = Activation(tokens, width);
                int[] ids = RandomIds(tokens, 7);
                double[] before = RandomValues(7 * width);
                GuardedOutput dTable = Output(new Shape(7, width), before);
                Backend.ScatterAdd(dy.Tensor, Integers(ids), dTable.Tensor);
                dTable.AssertClose(ReferenceEmbedding.ScatterAdd(dy.Values, ids, before), Bounds.ColumnSum, $"[{tokens}, {width}]");
                Scope.Reset();
            }
        }
    }

    private IEnumerable<(Shape Shape, int Size)> NormCases()
    {
        foreach (int tokens in TokenCounts)
        {
            foreach (int size in Widths)
            {
                if (!IsTooLarge((long)tokens * size))
                {
                    yield return (new Shape(tokens, size), size);
                }
            }

            foreach ((int groups, int size) in new[] { (3, 17), (4, 64), (2, 128) })
            {
                if (!IsTooLarge((long)tokens * groups * size))
                {
                    yield return (new Shape(tokens, groups * size), size);
                }
            }
        }
    }
}
