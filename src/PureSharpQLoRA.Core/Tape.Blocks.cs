namespace PureSharpQLoRA.Core;

// Blocks: kept whole, or computed again from their input, their second half for a part of the tokens at a time.
public sealed partial class Tape
{
    /// <summary>Most tokens whose MLP is computed at a time where it is computed again: enough to fill any device.</summary>
    private const int LargestTransform = 2048;

    /// <summary>Most tokens that <see cref="IBlock.Transform"/> is given at a time, unless everything it computes is kept.</summary>
    internal int TransformRows { get; set; } = LargestTransform;

    /// <summary>Whether nobody reads what <see cref="IBlock.Transform"/> returns: it is computed again for its gradient alone.</summary>
    internal bool IsResultUnread { get; private set; }

    /// <summary>Computes <paramref name="block"/>; in the backward pass it is computed again from <paramref name="x"/> where <see cref="Recompute"/> says so.</summary>
    /// <param name="block">A layer of the model.</param>
    /// <param name="x">[tokens, width].</param>
    /// <param name="layout">The documents that the tokens belong to.</param>
    public Tensor Block(IBlock block, Tensor x, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(block);
        if (!IsRecording)
        {
            return ForwardOnly(block, x, layout);
        }

        if (Recompute == RecomputePolicy.Blocks)
        {
            return Checkpointed(block, x, layout);
        }

        int first = _nodes.Count;
        Tensor y = block.Transform(this, block.Attend(this, x, layout));
        if (Recompute == RecomputePolicy.Cheap)
        {
            DropRecomputable(first, y);
        }

        return y;
    }

    private Tensor ForwardOnly(IBlock block, Tensor x, SequenceLayout layout)
    {
        int mark = _scope.Count;
        Tensor attended = block.Attend(this, x, layout);
        _scope.ReleaseFrom(mark, attended);
        int parts = TransformParts(attended.Shape.Rows);
        if (parts == 1)
        {
            Tensor whole = block.Transform(this, attended);
            _scope.ReleaseFrom(mark, whole);
            return whole;
        }

        // Each part's result takes the place of its input, unless that is the caller's.
        Tensor y = ReferenceEquals(attended, x) ? NewTensor(x.Shape) : attended;
        for (int part = 0; part < parts; part++)
        {
            (int first, int rows) = TransformPart(attended.Shape.Rows, parts, part);
            int partMark = _scope.Count;
            Backend.Copy(block.Transform(this, Rows(attended, first, rows)), Rows(y, first, rows));
            _scope.ReleaseFrom(partMark, null);
        }

        return y;
    }

    private int TransformParts(int tokens) => Math.Max(1, (tokens + TransformRows - 1) / TransformRows);

    /// <summary>Parts of nearly one size, so that none is left with a few tokens.</summary>
    private static (int First, int Rows) TransformPart(int tokens, int parts, int part)
    {
        int first = (int)((long)tokens * part / parts);
        return (first, (int)((long)tokens * (part + 1) / parts) - first);
    }

    /// <summary>Computes the second half of a block again, and its gradients.</summary>
    /// <param name="block">The block.</param>
    /// <param name="x">What its first half computed.</param>
    /// <param name="output">The block's result, whose gradient is there; x has its own afterwards.</param>
    private void TransformBackward(IBlock block, Tensor x, Tensor output)
    {
        int parts = TransformParts(x.Shape.Rows);
        if (parts == 1)
        {
            TransformBackward(block, x, output.Gradient!, output);
            return;
        }

        // The gradient of each part's input takes the place of that of its result.
        Tensor gradient = OwnGradientOf(output);
        for (int part = 0; part < parts; part++)
        {
            (int first, int count) = TransformPart(x.Shape.Rows, parts, part);
            int mark = _scope.Count;
            Tensor rows = Rows(x, first, count), rowGradient = Rows(gradient, first, count);
            rows.RequiresGradient = x.RequiresGradient;
            TransformBackward(block, rows, rowGradient, null);
            if (rows.HasGradient)
            {
                Backend.Copy(rows.Gradient!, rowGradient);
            }

            _scope.ReleaseFrom(mark, null);
        }

        PassGradient(gradient, x);
        gradient.ReleaseMemory();
    }

    private void TransformBackward(IBlock block, Tensor x, Tensor gradient, Tensor? spent)
    {
        int first = _nodes.Count;
        IsResultUnread = true;
        Tensor y = block.Transform(this, x);
        IsResultUnread = false;
        PassGradient(gradient, y);
        spent?.Gradient!.ReleaseMemory();
        BackwardFrom(first);
    }

    private Tensor Checkpointed(IBlock block, Tensor x, SequenceLayout layout)
    {
        ulong counter = _randomCounter;
        IsRecording = false;
        Tensor y = ForwardOnly(block, x, layout);
        IsRecording = true;
        if (ReferenceEquals(x, y))
        {
            return y;
        }

        CheckpointNode node = NewNode<CheckpointNode>();
        node.Set(block, x, layout, counter, SetAside(x));
        Record(node, y);
        return y;
    }

    /// <summary>Moves a block's input to the host's memory where that is wanted, or returns null.</summary>
    private Tensor? SetAside(Tensor x)
    {
        if (!OffloadsBlockInputs || _setAside is null || x.IsPersistent)
        {
            return null;
        }

        Tensor inHost = _setAside.Allocate(x.Shape, x.DataType);
        Backend.CopyToHost(x, inHost);
        x.ReleaseMemory();
        return inHost;
    }

    /// <summary>Brings a block's input back.</summary>
    private void BringBack(Tensor inHost, Tensor x)
    {
        _scope.Rematerialize(x);
        Backend.CopyFromHost(inHost, x);
        inHost.ReleaseMemory();
    }

    /// <summary>A block of which only the input was kept.</summary>
    private sealed class CheckpointNode : TapeNode
    {
        private IBlock? _block;
        private Tensor? _x;
        private SequenceLayout? _layout;
        private Tensor? _inHost;
        private ulong _randomCounter;

        public void Set(IBlock block, Tensor x, SequenceLayout layout, ulong randomCounter, Tensor? inHost) =>
            (_block, _x, _layout, _randomCounter, _inHost) = (block, x, layout, randomCounter, inHost);

        protected internal override void Backward(Tape tape)
        {
            Output.ReleaseMemory();
            if (_inHost is not null)
            {
                tape.BringBack(_inHost, _x!);
            }

            ulong counter = tape._randomCounter;
            tape._randomCounter = _randomCounter;
            int first = tape._nodes.Count;
            int mark = tape._scope.Count;
            Tensor attended = _block!.Attend(tape, _x!, _layout!);
            tape.DropRecomputable(first, attended);
            tape.TransformBackward(_block, attended, Output);
            tape._randomCounter = counter;
            tape.BackwardFrom(first);
            tape._scope.ReleaseFrom(mark, _x!.Gradient);
        }

        protected internal override void Clear()
        {
            _inHost?.ReleaseMemory();
            (_block, _x, _layout, _inHost) = (null, null, null, null);
        }
    }
}
