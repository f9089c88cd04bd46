using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>
/// output[M, N] (+)= the sum of one or two products of a packed left operand and a right operand packed on demand. The members of the team take
/// blocks of the output from a shared counter; for each, they pack their part of the right operand into scratch that stays in the cache, and
/// use it for all rows of the block. How the output is cut changes nothing in a result: every element is summed in slices of the
/// reduction whose bounds depend on its length alone.
/// </summary>
internal sealed unsafe class ProductWork : ITeamWork, IDisposable
{
    private const int PanelsPerBlock = 4;
    private const int MaxSteps = 512;
    private const int StepMultiple = 32;
    private const int PanelFloats = PanelsPerBlock * MaxSteps * Tile.Columns + PanelPacker.Overrun;
    private const int EdgeFloats = Tile.Rows * Tile.Columns;
    private const int ScratchFloats = PanelFloats + EdgeFloats + PanelPacker.StageFloats + MaxSteps * Tile.Rows;

    private readonly ThreadTeam _team;
    private readonly TileKernel _kernel;
    private readonly DeviceBuffer[] _scratch;
    private readonly LeftOperand?[] _left = new LeftOperand?[2];
    private readonly RightOperand[] _right = new RightOperand[2];
    private readonly float[] _scales = new float[2];
    private readonly int[] _tails = new int[2];
    private RightOperand _tail;
    private int _terms;
    private float* _output;
    private int _rows;
    private int _columns;
    private bool _accumulate;
    private bool _transposedOutput;
    private ProductPartition _partition;
    private int _next;

    public ProductWork(ThreadTeam team, MemoryPool memory, TileKernel kernel)
    {
        _team = team;
        _kernel = kernel;
        _scratch = new DeviceBuffer[team.Size];
        for (int i = 0; i < _scratch.Length; i++)
        {
            _scratch[i] = memory.Rent(ScratchFloats * sizeof(float), MemoryPurpose.Workspace);
        }
    }

    /// <summary>Starts over with another output; a transposed one is stored as [columns, rows].</summary>
    public void Begin(float* output, int rows, int columns, bool accumulate, bool transposedOutput = false)
    {
        _transposedOutput = transposedOutput;
        _output = output;
        _rows = rows;
        _columns = columns;
        _accumulate = accumulate;
        _terms = 0;
    }

    /// <summary>Adds a term; one without a reduction is nothing.</summary>
    public void Add(LeftOperand left, in RightOperand right, float scale)
    {
        if (left.Reduction > 0)
        {
            _left[_terms] = left;
            _right[_terms] = right;
            _tails[_terms] = 0;
            _scales[_terms++] = scale;
        }
    }

    /// <summary>Adds a term whose left operand has another one behind it: both are multiplied in one pass.</summary>
    public void Add(LeftOperand left, in RightOperand right, in RightOperand tail)
    {
        _tail = tail;
        _left[_terms] = left;
        _right[_terms] = right;
        _tails[_terms] = left.TailSteps;
        _scales[_terms++] = 1;
    }

    /// <summary>Computes the output.</summary>
    public void Run()
    {
        if (_terms == 0 && !_accumulate)
        {
            new Span<float>(_output, checked(_rows * _columns)).Clear();
        }

        if (_terms == 0 || _rows == 0 || _columns == 0)
        {
            return;
        }

        LeftOperand first = _left[0]!;
        long leftBytes = (long)first.PanelCount * Tile.Rows * first.Steps * Tile.UnitBytes;
        _partition = first.IsStreamed
            ? ProductPartition.ChooseStreamed(_rows, _columns, _team.Size)
            : ProductPartition.Choose(_rows, _columns, leftBytes, _team.Size);
        _next = 0;
        if (_partition.Blocks == 1)
        {
            ((ITeamWork)this).Run(0);
        }
        else
        {
            _team.Run(this);
        }
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _scratch)
        {
            buffer.Release();
        }
    }

    void ITeamWork.Run(int member)
    {
        while (true)
        {
            int block = Interlocked.Increment(ref _next) - 1;
            if (block >= _partition.Blocks)
            {
                return;
            }

            ComputeBlock(_partition.At(block), (float*)_scratch[member].Address);
        }
    }

    private void ComputeBlock(in OutputBlock block, float* scratch)
    {
        bool accumulate = _accumulate;
        for (int i = 0; i < _terms; i++)
        {
            LeftOperand left = _left[i]!;
            int total = left.Steps + _tails[i];
            int steps = StepsPerSlice(total, Math.Min(MaxSteps, PanelsPerBlock * MaxSteps / block.Panels));
            for (int firstStep = 0; firstStep < total; firstStep += steps)
            {
                int count = Math.Min(steps, total - firstStep);
                PackSlice(_right[i], left.Steps, block, firstStep, count, scratch);
                MultiplySlice(left, _scales[i], block, firstStep, count, scratch, accumulate);
                accumulate = true;
            }
        }
    }

    /// <summary>Cuts the reduction into equal slices of at most so many steps, which is a multiple of <see cref="StepMultiple"/> or is rounded down to one.</summary>
    private static int StepsPerSlice(int steps, int most)
    {
        most = most / StepMultiple * StepMultiple;
        int slices = (steps + most - 1) / most;
        int perSlice = (steps + slices - 1) / slices;
        return (perSlice + StepMultiple - 1) / StepMultiple * StepMultiple;
    }

    /// <summary>Packs steps [firstStep, firstStep + steps) of the panels of a block; those from <paramref name="ownSteps"/> on belong to the tail.</summary>
    private void PackSlice(in RightOperand right, int ownSteps, in OutputBlock block, int firstStep, int steps, float* scratch)
    {
        int own = Math.Clamp(ownSteps - firstStep, 0, steps);
        float* stage = scratch + PanelFloats + EdgeFloats;
        for (int panel = 0; panel < block.Panels; panel++)
        {
            float* to = scratch + (nint)panel * steps * Tile.Columns;
            int column = (block.FirstPanel + panel) * Tile.Columns;
            PackPart(right, column, firstStep, own, to, stage);
            PackPart(_tail, column, firstStep + own - ownSteps, steps - own, to + (nint)own * Tile.Columns, stage);
        }
    }

    private void PackPart(in RightOperand right, int column, int firstStep, int steps, float* to, float* stage)
    {
        if (steps > 0)
        {
            int first = firstStep * _kernel.ValuesPerUnit;
            int count = Math.Min(steps * _kernel.ValuesPerUnit, right.Reduction - first);
            PanelPacker.Pack(right, column, first, count, _kernel.IsBf16, to, stage);
        }
    }

    private void MultiplySlice(LeftOperand left, float scale, in OutputBlock block, int firstStep, int steps, float* scratch, bool accumulate)
    {
        float* edge = scratch + PanelFloats;
        TileCall call = default;
        call.Steps = steps;
        call.Scale = scale;
        float* streamed = scratch + PanelFloats + EdgeFloats + PanelPacker.StageFloats;
        for (int rowPanel = block.FirstRowPanel; rowPanel < block.FirstRowPanel + block.RowPanels; rowPanel++)
        {
            if (left.IsStreamed)
            {
                left.PackPart(rowPanel, firstStep, steps, streamed);
                if (rowPanel + 1 < block.FirstRowPanel + block.RowPanels)
                {
                    left.PrefetchPart(rowPanel + 1, firstStep, steps);
                }
                else
                {
                    left.PrefetchPart(block.FirstRowPanel, firstStep + steps, steps);
                }

                call.Left = streamed;
            }
            else
            {
                call.Left = left.Panel(rowPanel) + (nint)firstStep * Tile.Rows;
            }

            int row = rowPanel * Tile.Rows;
            int rows = Math.Min(Tile.Rows, _rows - row);
            for (int panel = 0; panel < block.Panels; panel++)
            {
                int column = (block.FirstPanel + panel) * Tile.Columns;
                int columns = Math.Min(Tile.Columns, _columns - column);
                float* output = _transposedOutput ? _output + (nint)column * _rows + row : _output + (nint)row * _columns + column;
                call.Narrow = columns <= Tile.NarrowColumns;
                bool whole = !_transposedOutput && rows == Tile.Rows && columns == (call.Narrow ? Tile.NarrowColumns : Tile.Columns);
                call.Right = scratch + (nint)panel * steps * Tile.Columns;
                call.Output = whole ? output : edge;
                call.OutputStride = whole ? _columns : Tile.Columns;
                call.Accumulate = whole && accumulate ? 1 : 0;
                _kernel.Run(in call);
                if (_transposedOutput)
                {
                    StoreTransposed(edge, output, rows, columns, accumulate);
                }
                else if (!whole)
                {
                    StoreEdge(edge, output, rows, columns, accumulate);
                }
            }
        }
    }

    private void StoreEdge(float* tile, float* output, int rows, int columns, bool accumulate)
    {
        for (int i = 0; i < rows; i++, tile += Tile.Columns, output += _columns)
        {
            StoreRow(tile, output, columns, accumulate);
        }
    }

    private static void StoreRow(float* from, float* output, int count, bool accumulate)
    {
        int done = 0;
        for (; Vector256.IsHardwareAccelerated && done + 8 <= count; done += 8)
        {
            Vector256<float> values = Vector256.Load(from + done);
            (accumulate ? Vector256.Load(output + done) + values : values).Store(output + done);
        }

        for (; done < count; done++)
        {
            output[done] = accumulate ? output[done] + from[done] : from[done];
        }
    }

    private void StoreTransposed(float* tile, float* output, int rows, int columns, bool accumulate)
    {
        float* block = stackalloc float[Tile.Rows * Tile.Rows];
        for (int first = 0; first < columns; first += Tile.Rows)
        {
            UnitTranspose.Store(tile + first, Tile.Columns, false, block, Tile.Rows);
            for (int i = 0; i < Math.Min(Tile.Rows, columns - first); i++, output += _rows)
            {
                StoreRow(block + i * Tile.Rows, output, rows, accumulate);
            }
        }
    }
}
