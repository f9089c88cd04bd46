namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>Adds the query gradients of the further parts of a document to those of its first part.</summary>
internal sealed unsafe class PartialSumWork : ParallelRange
{
    private AttentionPlan _plan = null!;
    private BackwardWork _backward = null!;
    private float* _partials;
    private int _blocks;

    public void Run(ThreadTeam team, AttentionPlan plan, BackwardWork backward, float* partials)
    {
        _plan = plan;
        _backward = backward;
        _partials = partials;
        _blocks = 0;
        for (int document = 0; document < plan.Documents; document++)
        {
            _blocks = Math.Max(_blocks, plan.Blocks(document));
        }

        Start(team, plan.Documents * _blocks, 1);
    }

    protected override void Execute(int first, int end, int member)
    {
        for (int item = first; item < end; item++)
        {
            (int document, int index) = Math.DivRem(item, _blocks);
            if (index < _plan.Blocks(document))
            {
                Sum(document, _plan.Block(document, index));
            }
        }
    }

    private void Sum(int document, in QueryBlock block)
    {
        int width = _plan.Shape.QueryWidth, floats = block.Valid * width;
        float* sum = _plan.QueryRow(_plan.Operands.QueryGradient, document, block.First, 0);
        bool written = false;
        long last = -2;

        // Parts are sorted by work, so take them in the order of their matrices, which is that of their keys.
        while (Next(document, block, last) is { } part)
        {
            last = part.Partial;
            if (last < 0)
            {
                written = true;
                continue;
            }

            float factor = 1;
            Packing.Unpack(_partials + last + (long)block.First * width, width, block.Valid, width, &factor, 0, written, sum, width);
            written = true;
        }

        if (!written)
        {
            new Span<float>(sum, floats).Clear();
        }
    }

    private BackwardPart? Next(int document, in QueryBlock block, long last)
    {
        BackwardPart? next = null;
        foreach (BackwardPart part in _backward.Parts)
        {
            if (part.Document == document && part.Partial > last && part.IsSeenBy(block) && (next is null || part.Partial < next.Value.Partial))
            {
                next = part;
            }
        }

        return next;
    }
}
