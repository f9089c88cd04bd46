using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using PureSharpQLoRA.Core.Quantization;
using static PureSharpQLoRA.Core.Cpu.VectorParts;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    private readonly GatherWork _gather = new();

    /// <inheritdoc/>
    public void SwiGlu(Tensor gate, Tensor up, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(gate);
        ShapeException.ThrowIfNot(up, gate.Shape, "SwiGlu", "up");
        ShapeException.ThrowIfNot(y, gate.Shape, "SwiGlu", "y");
        var operands = new RowOperands
        {
            A = ReadFloats(gate, "SwiGlu", "gate"), B = ReadFloats(up, "SwiGlu", "up"), C = WriteFloats(y, "SwiGlu", "y"),
            Width = gate.Shape.Columns,
        };
        _rows.Run(_team, gate.Shape.Rows, operands, &SwiGluRows);
    }

    /// <inheritdoc/>
    public void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp)
    {
        ArgumentNullException.ThrowIfNull(gate);
        ShapeException.ThrowIfNot(up, gate.Shape, "SwiGluBackward", "up");
        ShapeException.ThrowIfNot(dy, gate.Shape, "SwiGluBackward", "dy");
        ShapeException.ThrowIfNot(dGate, gate.Shape, "SwiGluBackward", "dGate");
        ShapeException.ThrowIfNot(dUp, gate.Shape, "SwiGluBackward", "dUp");
        var operands = new RowOperands
        {
            A = ReadFloats(gate, "SwiGluBackward", "gate"), B = ReadFloats(up, "SwiGluBackward", "up"),
            C = ReadFloats(dy, "SwiGluBackward", "dy"), D = WriteFloats(dGate, "SwiGluBackward", "dGate"),
            E = WriteFloats(dUp, "SwiGluBackward", "dUp"), Width = gate.Shape.Columns,
        };
        _rows.Run(_team, gate.Shape.Rows, operands, &SwiGluBackwardRows);
    }

    /// <inheritdoc/>
    public void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(cosines);
        ShapeException.ThrowIfNot(sines, cosines.Shape, "Rotate", "sines");
        ShapeException.ThrowIfColumnsNot(cosines, headSize / 2, "Rotate", "cosines");
        fixed (int* indices = positions)
        {
            var operands = new RowOperands
            {
                A = ReadFloats(cosines, "Rotate", "cosines"), B = ReadFloats(sines, "Rotate", "sines"), C = WriteFloats(x, "Rotate", "x"),
                Indices = indices, Width = x.Shape.Columns, Group = headSize, Inverse = inverse,
            };
            _rows.Run(_team, x.Shape.Rows, operands, &RotateRows);
        }
    }

    /// <inheritdoc/>
    public void Gather(Tensor table, Tensor ids, Tensor y)
    {
        ArgumentNullException.ThrowIfNull(table);
        ArgumentNullException.ThrowIfNull(ids);
        ShapeException.ThrowIfNot(ids, DataType.Int32, "Gather", "ids");
        ShapeException.ThrowIfNot(y, new Shape((int)ids.Shape.Count, table.Shape.Columns), "Gather", "y");
        if (table.DataType is not (DataType.Float32 or DataType.Float16 or DataType.BFloat16))
        {
            throw new ShapeException("Gather", "the table", "fp32, fp16 or bf16", table.DataType.ToString());
        }

        int* indices = (int*)Read(ids);
        for (int i = 0; i < ids.Shape.Count; i++)
        {
            if ((uint)indices[i] >= (uint)table.Shape[0])
            {
                throw new ArgumentOutOfRangeException(nameof(ids), indices[i], $"Token {i} has an id outside the vocabulary of {table.Shape[0]}.");
            }
        }

        _gather.Run(_team, Read(table), table.DataType, indices, WriteFloats(y, "Gather", "y"), (int)ids.Shape.Count, table.Shape.Columns);
    }

    /// <inheritdoc/>
    public void ScatterAdd(Tensor dy, Tensor ids, Tensor dTable)
    {
        ArgumentNullException.ThrowIfNull(dy);
        ArgumentNullException.ThrowIfNull(ids);
        ShapeException.ThrowIfColumnsNot(dTable, dy.Shape.Columns, "ScatterAdd", "dTable");
        int* indices = (int*)Read(ids);
        float* from = ReadFloats(dy, "ScatterAdd", "dy"), to = WriteFloats(dTable, "ScatterAdd", "dTable");
        int width = dy.Shape.Columns;

        // In the order of the tokens: a row that several tokens name is summed the same way every time.
        for (int token = 0; token < dy.Shape.Rows; token++)
        {
            var operands = new RowOperands { A = from + ((long)token * width), C = to + ((long)indices[token] * width), Width = width, Factor = 1 };
            AddScaledRows(operands, 0, 1);
        }
    }

    private static void SwiGluRows(in RowOperands o, int first, int end)
    {
        float* gates = o.A;
        float* ups = o.B;
        float* y = o.C;
        long i = (long)first * o.Width, to = (long)end * o.Width;
        for (; i + Lanes <= to; i += Lanes)
        {
            Vector512<float> gate = Vector512.Load(gates + i);
            (gate * VectorMath.Sigmoid(gate) * Vector512.Load(ups + i)).Store(y + i);
        }

        if (i < to)
        {
            int rest = (int)(to - i);
            Vector512<float> gate = Load(gates + i, rest);
            Store(gate * VectorMath.Sigmoid(gate) * Load(ups + i, rest), y + i, rest);
        }
    }

    private static void SwiGluBackwardRows(in RowOperands o, int first, int end)
    {
        float* gates = o.A;
        float* ups = o.B;
        float* dys = o.C;
        float* dGates = o.D;
        float* dUps = o.E;
        long i = (long)first * o.Width, to = (long)end * o.Width;
        for (; i + Lanes <= to; i += Lanes)
        {
            Vector512<float> dGate = SwiGluGradient(Vector512.Load(gates + i), Vector512.Load(ups + i), Vector512.Load(dys + i), out Vector512<float> dUp);
            dUp.Store(dUps + i);
            dGate.Store(dGates + i);
        }

        if (i < to)
        {
            int rest = (int)(to - i);
            Vector512<float> dGate = SwiGluGradient(Load(gates + i, rest), Load(ups + i, rest), Load(dys + i, rest), out Vector512<float> dUp);
            Store(dUp, dUps + i, rest);
            Store(dGate, dGates + i, rest);
        }
    }

    /// <summary>d silu(g) / dg = s + g s (1 - s), with s = sigmoid(g).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> SwiGluGradient(Vector512<float> gate, Vector512<float> up, Vector512<float> dy, out Vector512<float> dUp)
    {
        Vector512<float> sigmoid = VectorMath.Sigmoid(gate);
        Vector512<float> silu = gate * sigmoid;
        dUp = dy * silu;
        return dy * up * Vector512.FusedMultiplyAdd(silu, Vector512<float>.One - sigmoid, sigmoid);
    }

    private static void RotateRows(in RowOperands o, int first, int end)
    {
        int half = o.Group / 2;
        float sign = o.Inverse ? -1 : 1;
        for (int row = first; row < end; row++)
        {
            float* cosines = o.A + ((long)o.Indices[row] * half);
            float* sines = o.B + ((long)o.Indices[row] * half);
            float* x = o.C + ((long)row * o.Width);
            for (int head = 0; head < o.Width; head += o.Group)
            {
                float* low = x + head, high = low + half;
                int i = 0;
                for (; i + 8 <= half; i += 8)
                {
                    Vector256<float> c = Vector256.Load(cosines + i), s = Vector256.Load(sines + i) * sign;
                    Vector256<float> a = Vector256.Load(low + i), b = Vector256.Load(high + i);
                    ((a * c) - (b * s)).Store(low + i);
                    ((b * c) + (a * s)).Store(high + i);
                }

                for (; i < half; i++)
                {
                    float c = cosines[i], s = sines[i] * sign, a = low[i], b = high[i];
                    low[i] = (a * c) - (b * s);
                    high[i] = (b * c) + (a * s);
                }
            }
        }
    }

    private sealed class GatherWork : ParallelRange
    {
        private void* _table;
        private DataType _type;
        private int* _ids;
        private float* _to;
        private int _width;

        public void Run(ThreadTeam team, void* table, DataType type, int* ids, float* to, int count, int width)
        {
            _table = table;
            _type = type;
            _ids = ids;
            _to = to;
            _width = width;
            Start(team, count, 32);
        }

        protected override void Execute(int first, int end, int member)
        {
            for (int i = first; i < end; i++)
            {
                long from = (long)_ids[i] * _width;
                var row = new Span<float>(_to + ((long)i * _width), _width);
                switch (_type)
                {
                    case DataType.BFloat16:
                        HalfPrecisionConvert.FromBFloat16(new ReadOnlySpan<ushort>((ushort*)_table + from, _width), row);
                        break;
                    case DataType.Float16:
                        HalfPrecisionConvert.FromFloat16(new ReadOnlySpan<ushort>((ushort*)_table + from, _width), row);
                        break;
                    default:
                        new ReadOnlySpan<float>((float*)_table + from, _width).CopyTo(row);
                        break;
                }
            }
        }
    }
}
