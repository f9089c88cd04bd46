using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

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
    private const int FloatsPerLine = 16;

    /// <summary>Steps that each panel has room for behind its own.</summary>
    private const int TailCapacity = 32;

    private DeviceBuffer? _buffer;
    private float* _units;
    private float* _source;
    private nint _stride;
    private long _contentId = -1;
    private nint _address;
    private Shape _shape;
    private bool _transposed;
    private Job _job;
    private float* _tail;
    private int _tailColumns;

    private enum Job
    {
        Rows,
        Columns,
        Tail,
    }

    public int Rows { get; private set; }

    public int Reduction { get; private set; }

    /// <summary>Units of each row.</summary>
    public int Steps { get; private set; }

    /// <summary>Units of each row of the operand behind this one, 0 for none.</summary>
    public int TailSteps { get; private set; }

    public int PanelCount { get; private set; }

    /// <summary>When it was asked for last, by the engine's clock.</summary>
    public long LastUse { get; set; }

    /// <summary>Whether it is the packed form of what the tensor holds now.</summary>
    public bool Holds(Tensor tensor, bool transposed) =>
        _contentId == tensor.ContentId && _address == tensor.Address && _shape == tensor.Shape && _transposed == transposed;

    public float* Panel(int panel) => _units + (nint)panel * (Steps + TailCapacity) * Tile.Rows;

    /// <summary>Whether the operand stays as it is, and each block of a product packs the part it needs, when it needs it.</summary>
    public bool IsStreamed { get; private set; }

    /// <summary>
    /// Refers to a row-major fp32 matrix without packing it: for a reduction so long that the packed form would only go to memory and come back,
    /// such as the gradient of logits.
    /// </summary>
    public void Stream(Tensor tensor)
    {
        _contentId = -1;
        _source = (float*)tensor.Address;
        _stride = tensor.Shape.Columns;
        (Rows, Reduction) = (tensor.Shape.Rows, tensor.Shape.Columns);
        Steps = bf16 ? (Reduction + 1) / 2 : Reduction;
        PanelCount = (Rows + Tile.Rows - 1) / Tile.Rows;
        TailSteps = 0;
        IsStreamed = true;
    }

    /// <summary>Packs a part of the reduction of one panel of a streamed operand.</summary>
    public void PackPart(int panel, int firstStep, int steps, float* to)
    {
        int row = panel * Tile.Rows, first = firstStep * (bf16 ? 2 : 1);
        int count = Math.Min(steps * (bf16 ? 2 : 1), Reduction - first);
        RowPanels.Pack(_source + row * _stride + first, _stride, Rows - 1 - row, count, bf16, to);
    }

    /// <summary>
    /// Asks for the part that <see cref="PackPart"/> will read: eight short runs far apart, which the hardware does not foresee.
    /// </summary>
    public void PrefetchPart(int panel, int firstStep, int steps)
    {
        if (panel >= PanelCount || !Sse.IsSupported)
        {
            return;
        }

        int row = panel * Tile.Rows, first = firstStep * (bf16 ? 2 : 1);
        int count = Math.Min(steps * (bf16 ? 2 : 1), Reduction - first);
        int end = Math.Min(Rows, row + Tile.Rows);
        for (; row < end; row++)
        {
            float* from = _source + row * _stride + first;
            for (int i = 0; i < count; i += FloatsPerLine)
            {
                Sse.Prefetch1(from + i);
            }
        }
    }

    /// <summary>Packs a row-major fp32 matrix, or its transpose.</summary>
    public void Pack(ThreadTeam team, Tensor tensor, bool transposed)
    {
        _contentId = -1;
        _address = tensor.Address;
        _shape = tensor.Shape;
        _transposed = transposed;
        IsStreamed = false;
        _source = (float*)_address;
        _stride = _shape.Columns;
        (Rows, Reduction) = transposed ? (_shape.Columns, _shape.Rows) : (_shape.Rows, _shape.Columns);
        Steps = bf16 ? (Reduction + 1) / 2 : Reduction;
        PanelCount = (Rows + Tile.Rows - 1) / Tile.Rows;
        TailSteps = 0;
        Reserve((long)PanelCount * (Steps + TailCapacity) * Tile.Rows * Tile.UnitBytes);
        _job = transposed ? Job.Columns : Job.Rows;
        int items = transposed ? (Reduction + TransposedRun - 1) / TransposedRun : PanelCount;
        int unitsPerItem = transposed ? Rows * TransposedRun : Steps * Tile.Rows;
        Start(team, items, UnitsPerTurn / Math.Max(1, unitsPerItem));
        _contentId = tensor.ContentId;
    }

    /// <summary>Whether another operand of so many columns fits behind the panels.</summary>
    public bool HasRoomFor(int columns) => !IsStreamed && StepsFor(columns) <= TailCapacity;

    /// <summary>
    /// Puts another operand with the same rows behind this one, [Rows, Reduction + its columns], until the next operand takes its place: the two terms of an
    /// adapted layer become one product.
    /// </summary>
    public void PackTail(ThreadTeam team, Tensor low)
    {
        _tail = (float*)low.Address;
        _tailColumns = low.Shape.Columns;
        TailSteps = StepsFor(_tailColumns);
        _job = Job.Tail;
        Start(team, PanelCount, UnitsPerTurn / (TailCapacity * Tile.Rows));
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
            int row = item * Tile.Rows;
            switch (_job)
            {
                case Job.Columns:
                    PackTransposed(item * TransposedRun);
                    break;
                case Job.Rows:
                    RowPanels.Pack(_source + row * _stride, _stride, Rows - 1 - row, Reduction, bf16, Panel(item));
                    break;
                default:
                    RowPanels.Pack(_tail + row * _tailColumns, _tailColumns, Rows - 1 - row, _tailColumns, bf16, Panel(item) + (nint)Steps * Tile.Rows);
                    break;
            }
        }
    }

    private int StepsFor(int columns) => bf16 ? (columns + 1) / 2 : columns;

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
