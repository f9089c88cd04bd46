using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// The left operand of a product, [Rows, Reduction], packed as panels of 8 rows: panel t holds, for every step, the units of its rows. It is
/// packed once, by the whole team, and remembers of what: products that follow with the same operand (query, key and value; gate and up; a
/// base weight and its adapter) find it ready. The memory is kept for the next operand.
/// </summary>
internal sealed unsafe class LeftOperand(MemoryPool memory, bool bf16) : ParallelRange, IDisposable
{
    /// <summary>Source rows of a transposed operand that are packed in one go; even, for pairs.</summary>
    private const int TransposedRun = 32;
    private const int UnitsPerTurn = 16384;

    private DeviceBuffer? _buffer;
    private float* _units;
    private float* _source;
    private nint _stride;
    private long _contentId = -1;
    private nint _address;
    private Shape _shape;
    private bool _transposed;

    public int Rows { get; private set; }

    public int Reduction { get; private set; }

    /// <summary>Units of each row.</summary>
    public int Steps { get; private set; }

    public int PanelCount { get; private set; }

    /// <summary>When it was asked for last, by the engine's clock.</summary>
    public long LastUse { get; set; }

    /// <summary>Whether it is the packed form of what the tensor holds now.</summary>
    public bool Holds(Tensor tensor, bool transposed) =>
        _contentId == tensor.ContentId && _address == tensor.Address && _shape == tensor.Shape && _transposed == transposed;

    public float* Panel(int panel) => _units + (nint)panel * Steps * Tile.Rows;

    /// <summary>Packs a row-major fp32 matrix, or its transpose.</summary>
    public void Pack(ThreadTeam team, Tensor tensor, bool transposed)
    {
        _contentId = -1;
        _address = tensor.Address;
        _shape = tensor.Shape;
        _transposed = transposed;
        _source = (float*)_address;
        _stride = _shape.Columns;
        (Rows, Reduction) = transposed ? (_shape.Columns, _shape.Rows) : (_shape.Rows, _shape.Columns);
        Steps = bf16 ? (Reduction + 1) / 2 : Reduction;
        PanelCount = (Rows + Tile.Rows - 1) / Tile.Rows;
        Reserve((long)PanelCount * Steps * Tile.Rows * Tile.UnitBytes);
        int items = transposed ? (Reduction + TransposedRun - 1) / TransposedRun : PanelCount;
        int unitsPerItem = transposed ? Rows * TransposedRun : Steps * Tile.Rows;
        Start(team, items, UnitsPerTurn / Math.Max(1, unitsPerItem));
        _contentId = tensor.ContentId;
    }

    public void Dispose()
    {
        _buffer?.Release();
        _buffer = null;
        _contentId = -1;
    }

    protected override void Execute(int first, int end, int member)
    {
        for (int item = first; item < end; item++)
        {
            if (_transposed)
            {
                PackTransposed(item * TransposedRun);
            }
            else
            {
                PackPanel(item);
            }
        }
    }

    private void Reserve(long bytes)
    {
        if (_buffer is null || _buffer.Bytes < bytes)
        {
            _buffer?.Release();
            _buffer = null;
            _buffer = memory.Rent(bytes, MemoryPurpose.Workspace);
        }

        _units = (float*)_buffer.Address;
    }

    /// <summary>Eight rows become a panel. Rows that do not exist repeat the last: their products are never stored.</summary>
    private void PackPanel(int panel)
    {
        int last = Rows - 1 - panel * Tile.Rows;
        float* row0 = _source + panel * Tile.Rows * _stride;
        float* row1 = row0 + Math.Min(1, last) * _stride;
        float* row2 = row0 + Math.Min(2, last) * _stride;
        float* row3 = row0 + Math.Min(3, last) * _stride;
        float* row4 = row0 + Math.Min(4, last) * _stride;
        float* row5 = row0 + Math.Min(5, last) * _stride;
        float* row6 = row0 + Math.Min(6, last) * _stride;
        float* row7 = row0 + Math.Min(7, last) * _stride;
        float* to = Panel(panel);
        int done = 0;
        if (Vector256.IsHardwareAccelerated)
        {
            int block = bf16 ? 16 : 8;
            for (; done + block <= Reduction; done += block, to += 8 * Tile.Rows)
            {
                Transpose8x8.Store(
                    UnitTranspose.Units(row0 + done, bf16), UnitTranspose.Units(row1 + done, bf16),
                    UnitTranspose.Units(row2 + done, bf16), UnitTranspose.Units(row3 + done, bf16),
                    UnitTranspose.Units(row4 + done, bf16), UnitTranspose.Units(row5 + done, bf16),
                    UnitTranspose.Units(row6 + done, bf16), UnitTranspose.Units(row7 + done, bf16),
                    to, Tile.Rows);
            }
        }

        for (; done < Reduction; done += bf16 ? 2 : 1, to += Tile.Rows)
        {
            bool hasSecond = bf16 && done + 1 < Reduction;
            to[0] = Unit(row0 + done, hasSecond);
            to[1] = Unit(row1 + done, hasSecond);
            to[2] = Unit(row2 + done, hasSecond);
            to[3] = Unit(row3 + done, hasSecond);
            to[4] = Unit(row4 + done, hasSecond);
            to[5] = Unit(row5 + done, hasSecond);
            to[6] = Unit(row6 + done, hasSecond);
            to[7] = Unit(row7 + done, hasSecond);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private float Unit(float* values, bool hasSecond) => bf16 ? Bf16.Pair(values[0], hasSecond ? values[1] : 0) : values[0];

    /// <summary>
    /// A run of source rows becomes that run of the reduction in every panel; a strip of 8 columns is copied as it is. The last strip may read
    /// past the end of a row, into the next or the slack behind the tensor; those products are never stored.
    /// </summary>
    private void PackTransposed(int first)
    {
        int end = Math.Min(Reduction, first + TransposedRun);
        for (int panel = 0; panel < PanelCount; panel++)
        {
            float* from = _source + first * _stride + panel * Tile.Rows;
            if (bf16)
            {
                float* to = Panel(panel) + first / 2 * Tile.Rows;
                for (int row = first; row < end; row += 2, from += 2 * _stride, to += Tile.Rows)
                {
                    Vector256<float> odd = row + 1 < end ? Vector256.Load(from + _stride) : default;
                    Bf16.Join(Vector256.Load(from), odd).Store(to);
                }
            }
            else
            {
                float* to = Panel(panel) + first * Tile.Rows;
                for (int row = first; row < end; row++, from += _stride, to += Tile.Rows)
                {
                    Vector256.Load(from).Store(to);
                }
            }
        }
    }
}
