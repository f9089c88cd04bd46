namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// Shares attention among the threads of a team and owns the scratch memory, which is kept from call to call. How the work is cut depends on
/// the sizes alone, and every sum has one order, so results do not depend on the number of threads.
/// </summary>
internal sealed unsafe class AttentionEngine : IDisposable
{
    private readonly AttentionPlan _plan = new();
    private readonly AttentionScratch _shared = new();
    private readonly AttentionScratch _private = new();
    private readonly PackWork _pack = new();
    private readonly ForwardWork _forward = new();
    private readonly FewQueriesWork _fewQueries = new();
    private readonly BackwardWork _backward = new();
    private readonly PartialSumWork _partialSum = new();

    /// <summary>Fills Output and, where there is one, LogSumExp.</summary>
    public void Forward(ThreadTeam team, MemoryPool memory, in AttentionOperands operands, in AttentionShape shape, ReadOnlySpan<int> starts, int past)
    {
        _plan.Set(operands, shape, starts, past);
        if (_plan.Documents == 1 && _plan.Tokens <= FewQueries.Most)
        {
            long floats = FewQueries.Floats(_plan);
            _fewQueries.Run(team, _plan, _private.Reserve(memory, team.Size * floats), floats);
            return;
        }

        PackKeys(team, memory, 0);
        _forward.Run(team, _plan, ReserveWorkspaces(team, memory));
    }

    /// <summary>Overwrites QueryGradient, KeyGradient and ValueGradient.</summary>
    public void Backward(ThreadTeam team, MemoryPool memory, in AttentionOperands operands, in AttentionShape shape, ReadOnlySpan<int> starts)
    {
        _plan.Set(operands, shape, starts, past: 0);
        long partialFloats = _backward.Divide(_plan);
        float* partials = PackKeys(team, memory, partialFloats);
        _backward.Run(team, _plan, ReserveWorkspaces(team, memory), partials);
        if (partialFloats > 0)
        {
            _partialSum.Run(team, _plan, _backward, partials);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _shared.Dispose();
        _private.Dispose();
    }

    private float* PackKeys(ThreadTeam team, MemoryPool memory, long moreFloats)
    {
        long floats = _plan.PackedFloats;
        float* at = _shared.Reserve(memory, 2 * floats + moreFloats);
        _plan.PackedKeys = at;
        _plan.PackedValues = at + floats;
        _pack.Run(team, _plan);
        return at + 2 * floats;
    }

    private float* ReserveWorkspaces(ThreadTeam team, MemoryPool memory)
    {
        float* at = _private.Reserve(memory, team.Size * AttentionWorkspace.Floats(_plan.Width));
        for (int member = 0; member < team.Size; member++)
        {
            new Span<float>(AttentionWorkspace.Of(at, member, _plan.Width).Zeros, AttentionWorkspace.ZeroFloats).Clear();
        }

        return at;
    }

    /// <summary>Copies keys and values of every head and document to dense rows.</summary>
    private sealed class PackWork : ParallelRange
    {
        private AttentionPlan _plan = null!;

        public void Run(ThreadTeam team, AttentionPlan plan)
        {
            _plan = plan;
            Start(team, 2 * plan.Documents * plan.Shape.KeyValueHeads, 1);
        }

        protected override void Execute(int first, int end, int member)
        {
            for (int item = first; item < end; item++)
            {
                (int rest, int which) = Math.DivRem(item, 2);
                (int document, int keyHead) = Math.DivRem(rest, _plan.Shape.KeyValueHeads);
                int rows = _plan.Past + _plan.Length(document);
                float* from = _plan.KeyRow(which == 0 ? _plan.Operands.Key : _plan.Operands.Value, document, 0, keyHead);
                float* to = _plan.Packed(which == 0 ? _plan.PackedKeys : _plan.PackedValues, document, keyHead, 0);
                Packing.Pack(
                    from, _plan.Shape.KeyWidth, rows, _plan.Shape.HeadSize, 1, to, _plan.Width, Packing.RoundUp(rows, Packing.RowUnit));
            }
        }
    }

    /// <summary>Blocks of 32 queries, the longest ones of a head first so that threads finish together.</summary>
    private sealed class ForwardWork : ParallelRange
    {
        private AttentionPlan _plan = null!;
        private float* _scratch;
        private int[] _firstItem = [];

        public void Run(ThreadTeam team, AttentionPlan plan, float* scratch)
        {
            _plan = plan;
            _scratch = scratch;
            if (_firstItem.Length <= plan.Documents)
            {
                _firstItem = new int[2 * plan.Documents + 1];
            }

            int items = 0;
            for (int document = 0; document < plan.Documents; document++)
            {
                _firstItem[document] = items;
                items += plan.Blocks(document) * plan.Shape.Heads;
            }

            _firstItem[plan.Documents] = items;
            Start(team, items, 1);
        }

        protected override void Execute(int first, int end, int member)
        {
            AttentionWorkspace scratch = AttentionWorkspace.Of(_scratch, member, _plan.Width);
            for (int item = first; item < end; item++)
            {
                int document = DocumentOf(item);
                int blocks = _plan.Blocks(document);
                (int head, int index) = Math.DivRem(item - _firstItem[document], blocks);
                ForwardBlock.Run(_plan, scratch, document, head, blocks - 1 - index);
            }
        }

        private int DocumentOf(int item)
        {
            int found = Array.BinarySearch(_firstItem, 0, _plan.Documents + 1, item);
            if (found < 0)
            {
                return ~found - 1;
            }

            // Documents without tokens share their number with the one behind them.
            while (found < _plan.Documents - 1 && _firstItem[found + 1] == item)
            {
                found++;
            }

            return found;
        }
    }

    private sealed class FewQueriesWork : ParallelRange
    {
        private AttentionPlan _plan = null!;
        private float* _scratch;
        private long _floats;

        public void Run(ThreadTeam team, AttentionPlan plan, float* scratch, long floats)
        {
            _plan = plan;
            _scratch = scratch;
            _floats = floats;
            Start(team, plan.Tokens * plan.Shape.KeyValueHeads, 1);
        }

        protected override void Execute(int first, int end, int member)
        {
            for (int item = first; item < end; item++)
            {
                (int row, int keyHead) = Math.DivRem(item, _plan.Shape.KeyValueHeads);
                FewQueries.Run(_plan, _scratch + member * _floats, row, keyHead);
            }
        }
    }
}
