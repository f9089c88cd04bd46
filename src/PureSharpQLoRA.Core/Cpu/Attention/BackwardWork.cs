namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// The backward pass cut by key heads, and long documents also by ranges of keys when there are few heads. Each range sums the gradients
/// of its keys over all queries and the heads of the group, so only query gradients need partial matrices.
/// </summary>
internal sealed unsafe class BackwardWork : ParallelRange
{
    /// <summary>How many pieces of work a call should have at least.</summary>
    private const int Pieces = 16;

    /// <summary>A document is not cut finer than this many keys per part.</summary>
    private const int LeastKeys = 128;

    private AttentionPlan _plan = null!;
    private float* _scratch;
    private float* _partials;
    private BackwardPart[] _parts = [];
    private int _count;

    /// <summary>The parts, those with most work first.</summary>
    public ReadOnlySpan<BackwardPart> Parts => _parts.AsSpan(0, _count);

    /// <summary>Decides on the parts; returns how many floats their partial query gradients take.</summary>
    public long Divide(AttentionPlan plan)
    {
        _count = 0;
        long partial = 0;
        int wanted = (Pieces + plan.Documents * plan.Shape.KeyValueHeads - 1) / (plan.Documents * plan.Shape.KeyValueHeads);
        for (int document = 0; document < plan.Documents; document++)
        {
            int length = plan.Length(document);
            int parts = Math.Max(1, Math.Min(wanted, length / LeastKeys));
            int first = 0;
            for (int i = 1; i <= parts && first < length; i++)
            {
                int end = i == parts ? length : Boundary(length, plan.Shape.SlidingWindow, (double)i / parts);
                if (end > first)
                {
                    Add(new BackwardPart(document, first, end, first == 0 ? -1 : partial));
                    partial += first == 0 ? 0 : (long)length * plan.Shape.QueryWidth;
                    first = end;
                }
            }
        }

        SortByWork(plan);
        return partial;
    }

    /// <summary>Computes all gradients but the sums of partial query gradients.</summary>
    public void Run(ThreadTeam team, AttentionPlan plan, float* scratch, float* partials)
    {
        _plan = plan;
        _scratch = scratch;
        _partials = partials;
        Start(team, _count * plan.Shape.KeyValueHeads, 1);
    }

    protected override void Execute(int first, int end, int member)
    {
        AttentionWorkspace scratch = AttentionWorkspace.Of(_scratch, member, _plan.Width);
        for (int item = first; item < end; item++)
        {
            (int index, int keyHead) = Math.DivRem(item, _plan.Shape.KeyValueHeads);
            ref readonly BackwardPart part = ref _parts[index];
            float* queryGradient = part.Partial < 0
                ? _plan.QueryRow(_plan.Operands.QueryGradient, part.Document, 0, 0)
                : _partials + part.Partial;
            BackwardTask.Run(_plan, scratch, part, queryGradient, keyHead);
        }
    }

    /// <summary>The key, divisible by 32, below which the given share of the pairs of queries and keys lies.</summary>
    private static int Boundary(int length, int window, double share)
    {
        double key = window > 0 && window < length / 2 ? share * length : length * (1 - Math.Sqrt(1 - share));
        return (int)Math.Round(key / QueryBlock.Lanes) * QueryBlock.Lanes;
    }

    private void Add(in BackwardPart part)
    {
        if (_count == _parts.Length)
        {
            Array.Resize(ref _parts, Math.Max(16, 2 * _count));
        }

        _parts[_count++] = part;
    }

    /// <summary>By insertion, which leaves equal parts in order: documents of a batch are few and often equally long.</summary>
    private void SortByWork(AttentionPlan plan)
    {
        int window = plan.Shape.SlidingWindow;
        for (int i = 1; i < _count; i++)
        {
            BackwardPart part = _parts[i];
            long work = part.Work(plan.Length(part.Document), window);
            int at = i;
            for (; at > 0 && _parts[at - 1].Work(plan.Length(_parts[at - 1].Document), window) < work; at--)
            {
                _parts[at] = _parts[at - 1];
            }

            _parts[at] = part;
        }
    }
}
