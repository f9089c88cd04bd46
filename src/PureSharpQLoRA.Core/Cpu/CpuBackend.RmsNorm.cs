using System.Runtime.Intrinsics;
using static PureSharpQLoRA.Core.Cpu.VectorParts;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly NormWeightWork _normWeight = new();

    /// <inheritdoc/>
    public void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ShapeException.ThrowIfNot(y, x.Shape, "RmsNorm", "y");
        int size = weight.Shape.Columns;
        var operands = new RowOperands
        {
            A = ReadFloats(x, "RmsNorm", "x"), B = ReadFloats(weight, "RmsNorm", "weight"), C = WriteFloats(y, "RmsNorm", "y"),
            Width = size, Epsilon = epsilon,
        };
        _rows.Run(_team, checked((int)(x.Shape.Count / size)), operands, &NormRows);
    }

    /// <inheritdoc/>
    public void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ShapeException.ThrowIfNot(dy, x.Shape, "RmsNormBackward", "dy");
        int size = weight.Shape.Columns, rows = checked((int)(x.Shape.Count / size));
        float* xs = ReadFloats(x, "RmsNormBackward", "x"), dys = ReadFloats(dy, "RmsNormBackward", "dy");
        if (dWeight is not null)
        {
            ShapeException.ThrowIfNot(dWeight, weight.Shape, "RmsNormBackward", "dWeight");
            _normWeight.Run(_team, xs, dys, WriteFloats(dWeight, "RmsNormBackward", "dWeight"), rows, size, epsilon, accumulateWeight);
        }

        if (dx is null)
        {
            return;
        }

        ShapeException.ThrowIfNot(dx, x.Shape, "RmsNormBackward", "dx");
        var operands = new RowOperands
        {
            A = xs, B = ReadFloats(weight, "RmsNormBackward", "weight"), C = dys, D = WriteFloats(dx, "RmsNormBackward", "dx"),
            Width = size, Epsilon = epsilon, Accumulate = accumulateX,
        };
        _rows.Run(_team, rows, operands, &NormBackwardRows);
    }

    private static float InverseRms(float* x, int size, float epsilon)
    {
        Vector512<float> sum0 = default, sum1 = default;
        int i = 0;
        for (; i + (2 * Lanes) <= size; i += 2 * Lanes)
        {
            Vector512<float> a = Vector512.Load(x + i), b = Vector512.Load(x + i + Lanes);
            sum0 = Vector512.FusedMultiplyAdd(a, a, sum0);
            sum1 = Vector512.FusedMultiplyAdd(b, b, sum1);
        }

        if (i + Lanes <= size)
        {
            Vector512<float> a = Vector512.Load(x + i);
            sum0 = Vector512.FusedMultiplyAdd(a, a, sum0);
            i += Lanes;
        }

        if (i < size)
        {
            Vector512<float> a = Load(x + i, size - i);
            sum1 = Vector512.FusedMultiplyAdd(a, a, sum1);
        }

        return 1 / MathF.Sqrt((Vector512.Sum(sum0 + sum1) / size) + epsilon);
    }

    private static void NormRows(in RowOperands o, int first, int end)
    {
        int width = o.Width, whole = width / Lanes * Lanes;
        float* weight = o.B;
        for (int row = first; row < end; row++)
        {
            float* x = o.A + ((long)row * width);
            float* y = o.C + ((long)row * width);
            Vector512<float> inverse = Vector512.Create(InverseRms(x, width, o.Epsilon));
            for (int i = 0; i < whole; i += Lanes)
            {
                (Vector512.Load(x + i) * inverse * Vector512.Load(weight + i)).Store(y + i);
            }

            if (whole < width)
            {
                int rest = width - whole;
                Store(Load(x + whole, rest) * inverse * Load(weight + whole, rest), y + whole, rest);
            }
        }
    }

    /// <summary>dx = r (w dy - x r² mean(w dy x)), with r = 1 / rms(x).</summary>
    private static void NormBackwardRows(in RowOperands o, int first, int end)
    {
        int width = o.Width, whole = width / Lanes * Lanes, rest = width - whole;
        float* weight = o.B;
        for (int row = first; row < end; row++)
        {
            long at = (long)row * width;
            float* x = o.A + at;
            float* dy = o.C + at;
            float* dx = o.D + at;
            float inverse = InverseRms(x, width, o.Epsilon);
            Vector512<float> sum = default;
            for (int i = 0; i < whole; i += Lanes)
            {
                sum = Vector512.FusedMultiplyAdd(Vector512.Load(dy + i) * Vector512.Load(weight + i), Vector512.Load(x + i), sum);
            }

            if (rest > 0)
            {
                sum = Vector512.FusedMultiplyAdd(Load(dy + whole, rest) * Load(weight + whole, rest), Load(x + whole, rest), sum);
            }

            Vector512<float> r = Vector512.Create(inverse);
            Vector512<float> factor = Vector512.Create(-Vector512.Sum(sum) * inverse * inverse * inverse / width);
            if (o.Accumulate)
            {
                for (int i = 0; i < whole; i += Lanes)
                {
                    Vector512<float> value = Vector512.FusedMultiplyAdd(Vector512.Load(dy + i) * Vector512.Load(weight + i), r, Vector512.Load(dx + i));
                    Vector512.FusedMultiplyAdd(Vector512.Load(x + i), factor, value).Store(dx + i);
                }
            }
            else
            {
                for (int i = 0; i < whole; i += Lanes)
                {
                    Vector512<float> value = Vector512.Load(dy + i) * Vector512.Load(weight + i) * r;
                    Vector512.FusedMultiplyAdd(Vector512.Load(x + i), factor, value).Store(dx + i);
                }
            }

            if (rest > 0)
            {
                Vector512<float> before = o.Accumulate ? Load(dx + whole, rest) : Vector512<float>.Zero;
                Vector512<float> value = Vector512.FusedMultiplyAdd(Load(dy + whole, rest) * Load(weight + whole, rest), r, before);
                Store(Vector512.FusedMultiplyAdd(Load(x + whole, rest), factor, value), dx + whole, rest);
            }
        }
    }

    /// <summary>dWeight[i] = sum over rows of dy x r: shared out by columns, so that each sum runs over the rows in order.</summary>
    private sealed class NormWeightWork : ParallelRange
    {
        private const int ColumnsPerTurn = 64;

        private float[] _inverse = [];
        private float* _x;
        private float* _dy;
        private float* _to;
        private int _rows;
        private int _size;
        private bool _accumulate;

        public void Run(ThreadTeam team, float* x, float* dy, float* to, int rows, int size, float epsilon, bool accumulate)
        {
            if (_inverse.Length < rows)
            {
                _inverse = new float[rows];
            }

            for (int row = 0; row < rows; row++)
            {
                _inverse[row] = InverseRms(x + ((long)row * size), size, epsilon);
            }

            _x = x;
            _dy = dy;
            _to = to;
            _rows = rows;
            _size = size;
            _accumulate = accumulate;
            Start(team, (size + ColumnsPerTurn - 1) / ColumnsPerTurn, 1);
        }

        protected override void Execute(int first, int end, int member)
        {
            for (int i = first * ColumnsPerTurn; i < Math.Min(_size, end * ColumnsPerTurn); i += Lanes)
            {
                int count = _size - i;
                Vector512<float> sum = default;
                for (int row = 0; row < _rows; row++)
                {
                    long at = ((long)row * _size) + i;
                    sum = Vector512.FusedMultiplyAdd(Load(_x + at, count) * _inverse[row], Load(_dy + at, count), sum);
                }

                Store(_accumulate ? sum + Load(_to + i, count) : sum, _to + i, count);
            }
        }
    }
}
