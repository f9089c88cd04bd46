using System.Runtime.Intrinsics;
using PureSharpQLoRA.Core.Quantization;
using static PureSharpQLoRA.Core.Cpu.VectorParts;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <summary>Elements that a flat kernel treats as one row.</summary>
    private const int FlatRow = 8192;

    private readonly RowWork _rows = new();
    private readonly ReductionWork _reduction = new();
    private double[] _partialSums = new double[64];

    /// <inheritdoc/>
    public void Fill(Tensor x, float value) => new Span<float>(WriteFloats(x, "Fill", "x"), checked((int)x.Shape.Count)).Fill(value);

    /// <inheritdoc/>
    public void Copy(Tensor from, Tensor to)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (from.Shape.Count != to.Shape.Count)
        {
            throw new ShapeException("Copy", "the target", $"of {from.Shape.Count} elements", to.Shape.ToString());
        }

        long count = from.Shape.Count;
        void* source = Read(from);
        void* target = Write(to);
        switch (from.DataType, to.DataType)
        {
            case var (a, b) when a == b:
                Buffer.MemoryCopy(source, target, to.Bytes, from.Bytes);
                break;
            case (DataType.BFloat16, DataType.Float32):
                HalfPrecisionConvert.FromBFloat16(new ReadOnlySpan<ushort>(source, (int)count), new Span<float>(target, (int)count));
                break;
            case (DataType.Float16, DataType.Float32):
                HalfPrecisionConvert.FromFloat16(new ReadOnlySpan<ushort>(source, (int)count), new Span<float>(target, (int)count));
                break;
            case (DataType.Float32, DataType.BFloat16):
                HalfPrecisionConvert.ToBFloat16(new ReadOnlySpan<float>(source, (int)count), new Span<ushort>(target, (int)count));
                break;
            case (DataType.Float32, DataType.Float16):
                HalfPrecisionConvert.ToFloat16(new ReadOnlySpan<float>(source, (int)count), new Span<ushort>(target, (int)count));
                break;
            default:
                throw new ShapeException("Copy", "the pair of types", "fp32 with fp16 or bf16, or the same", $"{from.DataType} to {to.DataType}");
        }
    }

    /// <inheritdoc/>
    public void Add(Tensor a, Tensor b, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(a);
        ShapeException.ThrowIfNot(b, a.Shape, "Add", "b");
        ShapeException.ThrowIfNot(y, a.Shape, "Add", "y");
        var operands = new RowOperands
        {
            A = ReadFloats(a, "Add", "a"), B = ReadFloats(b, "Add", "b"), C = WriteFloats(y, "Add", "y"), Width = a.Shape.Columns,
        };
        _rows.Run(_team, a.Shape.Rows, operands, &AddRows);
    }

    /// <inheritdoc/>
    public void AddScaled(Tensor x, float scale, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(x);
        ShapeException.ThrowIfNot(y, x.Shape, "AddScaled", "y");
        var operands = new RowOperands
        {
            A = ReadFloats(x, "AddScaled", "x"), C = WriteFloats(y, "AddScaled", "y"), Width = x.Shape.Columns, Factor = scale,
        };
        _rows.Run(_team, x.Shape.Rows, operands, &AddScaledRows);
    }

    /// <inheritdoc/>
    public void AddSum(Tensor x, Tensor total)
    {
        ShapeException.ThrowIfNot(total, ElementwiseOps.TotalShape, "AddSum", "total");
        float* parts = WriteFloats(total, "AddSum", "total");
        double sum = (double)parts[0] + parts[1] + Reduce(x, "AddSum", squared: false);
        parts[0] = (float)sum;
        parts[1] = double.IsFinite(sum) ? (float)(sum - parts[0]) : 0;
    }

    /// <inheritdoc/>
    public void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate)
    {
        ArgumentNullException.ThrowIfNull(x);
        ShapeException.ThrowIfNot(y, x.Shape, "Dropout", "y");
        var operands = new RowOperands
        {
            A = ReadFloats(x, "Dropout", "x"), C = WriteFloats(y, "Dropout", "y"), Width = x.Shape.Columns,
            Factor = probability, Seed = seed, Accumulate = accumulate,
        };
        _rows.Run(_team, x.Shape.Rows, operands, &DropoutRows);
    }

    /// <inheritdoc/>
    public void AddUniformNoise(Tensor x, float amplitude, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(x);
        var operands = new RowOperands { C = WriteFloats(x, "AddUniformNoise", "x"), Width = x.Shape.Columns, Factor = amplitude, Seed = seed };
        _rows.Run(_team, x.Shape.Rows, operands, &NoiseRows);
    }

    private static void AddRows(in RowOperands o, int first, int end)
    {
        long from = (long)first * o.Width, to = (long)end * o.Width;
        for (long i = from; i < to; i += Lanes)
        {
            int count = (int)Math.Min(Lanes, to - i);
            Store(Load(o.A + i, count) + Load(o.B + i, count), o.C + i, count);
        }
    }

    private static void AddScaledRows(in RowOperands o, int first, int end)
    {
        long from = (long)first * o.Width, to = (long)end * o.Width;
        Vector512<float> factor = Vector512.Create(o.Factor);
        for (long i = from; i < to; i += Lanes)
        {
            int count = (int)Math.Min(Lanes, to - i);
            Store(Vector512.FusedMultiplyAdd(Load(o.A + i, count), factor, Load(o.C + i, count)), o.C + i, count);
        }
    }

    private static void DropoutRows(in RowOperands o, int first, int end)
    {
        float kept = 1 / (1 - o.Factor);
        for (long i = (long)first * o.Width; i < (long)end * o.Width; i++)
        {
            float value = Philox.Uniform(o.Seed, (ulong)i) >= o.Factor ? o.A[i] * kept : 0;
            o.C[i] = o.Accumulate ? o.C[i] + value : value;
        }
    }

    private static void NoiseRows(in RowOperands o, int first, int end)
    {
        for (long i = (long)first * o.Width; i < (long)end * o.Width; i++)
        {
            o.C[i] += o.Factor * ((2 * Philox.Uniform(o.Seed, (ulong)i)) - 1);
        }
    }

    /// <summary>Sums runs of a fixed length each, then the sums in order: the same bits however the runs are shared out.</summary>
    private double Reduce(Tensor x, string operation, bool squared)
    {
        ArgumentNullException.ThrowIfNull(x);
        long count = x.Shape.Count;
        int runs = checked((int)((count + FlatRow - 1) / FlatRow));
        if (_partialSums.Length < runs)
        {
            _partialSums = new double[Math.Max(runs, 2 * _partialSums.Length)];
        }

        _reduction.Run(_team, ReadFloats(x, operation, "x"), count, _partialSums, squared);
        double sum = 0;
        foreach (double partial in _partialSums.AsSpan(0, runs))
        {
            sum += partial;
        }

        return sum;
    }

    private sealed class ReductionWork : ParallelRange
    {
        private float* _x;
        private long _count;
        private double[] _sums = [];
        private bool _squared;

        public void Run(ThreadTeam team, float* x, long count, double[] sums, bool squared)
        {
            _x = x;
            _count = count;
            _sums = sums;
            _squared = squared;
            Start(team, (int)((count + FlatRow - 1) / FlatRow), 4);
        }

        protected override void Execute(int first, int end, int member)
        {
            for (int run = first; run < end; run++)
            {
                long from = (long)run * FlatRow, to = Math.Min(_count, from + FlatRow);
                Vector512<double> even = default, odd = default;
                for (long i = from; i < to; i += Lanes)
                {
                    (Vector512<double> low, Vector512<double> high) = Vector512.Widen(Load(_x + i, (int)Math.Min(Lanes, to - i)));
                    even += _squared ? low * low : low;
                    odd += _squared ? high * high : high;
                }

                _sums[run] = Vector512.Sum(even + odd);
            }
        }
    }
}
