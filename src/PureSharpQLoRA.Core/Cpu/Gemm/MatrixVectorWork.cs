using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// y (+)= scale * W·x for one token, the product of generation: bound by the reading of W, so nothing is packed; x is put in the order in which
/// elements of a stored row come out of a register.
/// </summary>
internal sealed unsafe class MatrixVectorWork : ParallelRange, IDisposable
{
    private const int ElementsPerTurn = 65536;
    private const int RowsTogether = 4;

    private readonly ThreadTeam _team;
    private readonly MemoryPool _memory;
    private readonly Nf4RowKernelBf16? _nf4Bf16;
    private DeviceBuffer? _buffer;
    private RightOperand _weight;
    private float* _x;
    private float* _reordered;
    private float* _decoded;
    private nint _decodedStride;
    private float* _output;
    private float _scale;
    private bool _accumulate;
    private bool _fast;

    public MatrixVectorWork(ThreadTeam team, MemoryPool memory, bool bf16)
    {
        _team = team;
        _memory = memory;
        _nf4Bf16 = bf16 ? new Nf4RowKernelBf16() : null;
    }

    /// <summary>output [rows of the weight] (+)= scale * weight·x.</summary>
    public void Multiply(in RightOperand weight, float* x, float* output, float scale, bool accumulate)
    {
        _weight = weight;
        _x = x;
        _output = output;
        _scale = scale;
        _accumulate = accumulate;
        Reserve(weight.Columns);
        _fast = Avx512F.IsSupported && Vector512.IsHardwareAccelerated && (weight.Type switch
        {
            DataType.Nf4 => weight.Columns % 8 == 0,
            DataType.BFloat16 => true,
            _ => false,
        });
        if (_fast && weight.Type == DataType.BFloat16)
        {
            DenseRowKernel.Reorder(x, weight.Columns, _reordered);
        }
        else if (_fast && _nf4Bf16 is not null)
        {
            Nf4RowKernelBf16.Reorder(x, weight.Columns, (ushort*)_reordered);
        }
        else if (_fast)
        {
            Nf4RowKernel.Reorder(x, weight.Columns, _reordered);
        }

        int items = (weight.Rows + RowsTogether - 1) / RowsTogether;
        Start(_team, items, ElementsPerTurn / Math.Max(1, RowsTogether * weight.Columns));
    }

    public void Dispose()
    {
        _buffer?.Release();
        _buffer = null;
        _nf4Bf16?.Dispose();
    }

    protected override void Execute(int first, int end, int member)
    {
        int row = first * RowsTogether;
        int last = Math.Min(_weight.Rows, end * RowsTogether);
        float* sums = stackalloc float[RowsTogether];
        while (row < last)
        {
            int rows = Math.Min(RowsTogether, last - row);
            Compute(row, rows, sums, member);
            for (int i = 0; i < rows; i++, row++)
            {
                _output[row] = _accumulate ? _output[row] + _scale * sums[i] : _scale * sums[i];
            }
        }
    }

    private void Compute(int row, int rows, float* sums, int member)
    {
        bool nf4 = _weight.Type == DataType.Nf4;
        if (_fast && (!nf4 || Nf4RowKernel.IsInside(_weight, row + rows - 1)))
        {
            if (nf4 && _nf4Bf16 is null && rows == RowsTogether)
            {
                Nf4RowKernel.Dot4(_weight, row, _reordered, sums);
                return;
            }

            for (int i = 0; i < rows; i++)
            {
                sums[i] = !nf4 ? DenseRowKernel.DotBf16(_weight, row + i, _reordered, _x)
                    : _nf4Bf16 is null ? Nf4RowKernel.Dot(_weight, row + i, _reordered)
                    : _nf4Bf16.Dot(_weight, row + i, _reordered);
            }

            return;
        }

        for (int i = 0; i < rows; i++)
        {
            sums[i] = DotDecoded(row + i, _decoded + member * _decodedStride);
        }
    }

    private float DotDecoded(int row, float* scratch)
    {
        if (_weight.Type == DataType.Float32)
        {
            return DenseRowKernel.Dot((float*)_weight.Values + (nint)row * _weight.Columns, _x, _weight.Columns);
        }

        RowDecoder.Decode(_weight, row, 0, _weight.Columns, scratch);
        return DenseRowKernel.Dot(scratch, _x, _weight.Columns);
    }

    /// <summary>Scratch: x in another order, and a decoded row for every member.</summary>
    private void Reserve(int columns)
    {
        nint reordered = (columns + Nf4RowKernel.GroupLength - 1) / Nf4RowKernel.GroupLength * Nf4RowKernel.GroupLength;
        _decodedStride = (columns + RowDecoder.Overrun + 15) / 16 * 16;
        long bytes = (reordered + _team.Size * _decodedStride) * sizeof(float);
        if (_buffer is null || _buffer.Bytes < bytes)
        {
            _buffer?.Release();
            _buffer = null;
            _buffer = _memory.Rent(bytes, MemoryPurpose.Workspace);
        }

        _reordered = (float*)_buffer.Address;
        _decoded = _reordered + reordered;
    }
}
