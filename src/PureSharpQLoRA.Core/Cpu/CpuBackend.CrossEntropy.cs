using System.Runtime.Intrinsics;
using static PureSharpQLoRA.Core.Cpu.VectorParts;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public void CrossEntropy(Tensor logits, ReadOnlySpan<int> labels, Tensor losses, float gradientScale)
    {
        ArgumentNullException.ThrowIfNull(logits);
        ArgumentNullException.ThrowIfNull(losses);
        if (labels.Length != logits.Shape.Rows || losses.Shape.Count != labels.Length)
        {
            throw new ShapeException("CrossEntropy", "labels and losses", $"of {logits.Shape.Rows} tokens", $"{labels.Length} and {losses.Shape.Count}");
        }

        foreach (int label in labels)
        {
            if (label >= logits.Shape.Columns)
            {
                throw new ArgumentOutOfRangeException(nameof(labels), label, $"A label is outside the vocabulary of {logits.Shape.Columns}.");
            }
        }

        fixed (int* indices = labels)
        {
            var operands = new RowOperands
            {
                C = WriteFloats(logits, "CrossEntropy", "logits"), D = WriteFloats(losses, "CrossEntropy", "losses"), Indices = indices,
                Width = logits.Shape.Columns, Factor = gradientScale,
            };
            _rows.Run(_team, labels.Length, operands, &CrossEntropyRows);
        }
    }

    private static void CrossEntropyRows(in RowOperands o, int first, int end)
    {
        for (int row = first; row < end; row++)
        {
            float* logits = o.C + ((long)row * o.Width);
            int label = o.Indices[row];
            if (label < 0)
            {
                o.D[row] = 0;
                if (o.Factor != 0)
                {
                    new Span<float>(logits, o.Width).Clear();
                }

                continue;
            }

            float top = Maximum(logits, o.Width);
            float chosen = logits[label];
            float total = ExponentialSum(logits, o.Width, top, keep: o.Factor != 0);
            o.D[row] = MathF.Log(total) + (top - chosen);
            if (o.Factor != 0)
            {
                ScaleRow(logits, o.Width, o.Factor / total);
                logits[label] -= o.Factor;
            }
        }
    }

    /// <summary>The largest value; where one is not a number the sum of exponentials will show it.</summary>
    private static float Maximum(float* x, int count)
    {
        Vector512<float> max0 = Vector512.Create(float.NegativeInfinity), max1 = max0, max2 = max0, max3 = max0;
        int i = 0;
        for (; i + (4 * Lanes) <= count; i += 4 * Lanes)
        {
            max0 = Vector512.MaxNative(max0, Vector512.Load(x + i));
            max1 = Vector512.MaxNative(max1, Vector512.Load(x + i + Lanes));
            max2 = Vector512.MaxNative(max2, Vector512.Load(x + i + (2 * Lanes)));
            max3 = Vector512.MaxNative(max3, Vector512.Load(x + i + (3 * Lanes)));
        }

        for (; i < count; i += Lanes)
        {
            max0 = Vector512.MaxNative(max0, Load(x + i, count - i, float.NegativeInfinity));
        }

        max0 = Vector512.MaxNative(Vector512.MaxNative(max0, max1), Vector512.MaxNative(max2, max3));
        float max = max0[0];
        for (int lane = 1; lane < Lanes; lane++)
        {
            max = MathF.Max(max, max0[lane]);
        }

        return max;
    }

    /// <summary>sum(exp(x - top)); replaces x by the exponentials where they are to be kept.</summary>
    private static float ExponentialSum(float* x, int count, float top, bool keep)
    {
        Vector512<float> shift = Vector512.Create(top), sum0 = default, sum1 = default;
        int i = 0;
        for (; i + (2 * Lanes) <= count; i += 2 * Lanes)
        {
            Vector512<float> a = VectorMath.Exp(Vector512.Load(x + i) - shift);
            Vector512<float> b = VectorMath.Exp(Vector512.Load(x + i + Lanes) - shift);
            sum0 += a;
            sum1 += b;
            if (keep)
            {
                a.Store(x + i);
                b.Store(x + i + Lanes);
            }
        }

        for (; i < count; i += Lanes)
        {
            Vector512<float> a = VectorMath.Exp(Load(x + i, count - i, float.NegativeInfinity) - shift);
            sum0 += a;
            if (keep)
            {
                Store(a, x + i, count - i);
            }
        }

        return Vector512.Sum(sum0 + sum1);
    }

    private static void ScaleRow(float* x, int count, float factor)
    {
        Vector512<float> factors = Vector512.Create(factor);
        int i = 0;
        for (; i + Lanes <= count; i += Lanes)
        {
            (Vector512.Load(x + i) * factors).Store(x + i);
        }

        if (i < count)
        {
            Store(Load(x + i, count - i) * factors, x + i, count - i);
        }
    }
}
