namespace PureSharpQLoRA.Core;

/// <summary>
/// Records operations and runs them backwards. The operations themselves are extension methods in <c>Ops</c>, each with its gradient
/// beside it. All tensors of a step live in the tape's scope: <see cref="Reset"/> returns them and begins the next step. How blocks are computed, and computed
/// again, is in a part of its own.
/// </summary>
public sealed partial class Tape : IDisposable
{
    private readonly List<TapeNode> _nodes = [];
    private readonly Dictionary<Type, Stack<TapeNode>> _spareNodes = [];
    private readonly TensorScope _scope;
    private readonly TensorScope _leafGradients;
    private readonly TensorScope? _setAside;
    private readonly List<Tensor> _leaves = [];
    private ulong _randomCounter;

    /// <summary>A tape that computes on <paramref name="backend"/>.</summary>
    public Tape(IBackend backend)
    {
        ArgumentNullException.ThrowIfNull(backend);
        Backend = backend;
        _scope = new TensorScope(backend.Memory, MemoryPurpose.Activations);
        _leafGradients = new TensorScope(backend.Memory, MemoryPurpose.Activations);
        _setAside = backend.HostMemory is { } host ? new TensorScope(host, MemoryPurpose.Activations) : null;
    }

    /// <summary>What computes.</summary>
    public IBackend Backend { get; }

    /// <summary>Whether operations are recorded for a backward pass. Off for evaluation and generation.</summary>
    public bool IsRecording { get; set; }

    /// <summary>Whether dropout and embedding noise are active.</summary>
    public bool IsTraining { get; set; }

    /// <summary>What is computed again in the backward pass.</summary>
    public RecomputePolicy Recompute { get; set; } = RecomputePolicy.Cheap;

    /// <summary>
    /// Whether the inputs of blocks that are computed again wait for it in the host's memory; no operation but their block may read them. Has no effect
    /// on a backend without <see cref="IBackend.HostMemory"/>.
    /// </summary>
    public bool OffloadsBlockInputs { get; set; }

    /// <summary>The random state of this step; dropout and noise depend on it, on their order in the model, and on nothing else.</summary>
    public ulong RandomSeed { get; set; }

    /// <summary>How many operations are recorded.</summary>
    public int Count => _nodes.Count;

    /// <summary>A tensor for an activation of this step, or its gradient: in the backend's <see cref="IBackend.ActivationType"/>.</summary>
    public Tensor NewTensor(Shape shape) => _scope.Allocate(shape, Backend.ActivationType);

    /// <summary>A tensor of this step in a type of its own.</summary>
    public Tensor NewTensor(Shape shape, DataType type) => _scope.Allocate(shape, type);

    /// <summary>Rows of a tensor of this step, sharing its memory.</summary>
    public Tensor Rows(Tensor source, int firstRow, int rows) => _scope.Rows(source, firstRow, rows);

    /// <summary>Runs all recorded operations backwards. Losses have set the gradients to begin from.</summary>
    public void Backward()
    {
        BackwardFrom(0);
        Backend.CompleteBackward();
    }

    /// <summary>Forgets all operations and returns the step's memory to the pool.</summary>
    public void Reset()
    {
        for (int i = _nodes.Count - 1; i >= 0; i--)
        {
            Recycle(_nodes[i]);
        }

        foreach (Tensor leaf in _leaves)
        {
            // Unless it was given a place of its own in the meantime.
            if (leaf.Gradient is { IsPersistent: false })
            {
                leaf.UseGradient(null);
            }
        }

        _nodes.Clear();
        _leaves.Clear();
        _leafGradients.Reset();
        _scope.Reset();
        _setAside?.Reset();
        _randomCounter = 0;
        // A step that failed in the middle must not be remembered.
        IsResultUnread = false;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Reset();
        _leafGradients.Dispose();
        _setAside?.Dispose();
        _scope.Dispose();
    }

    /// <summary>The seed for the next random operation of this step.</summary>
    internal ulong NextRandomSeed() => Philox.Mix(RandomSeed, ++_randomCounter);

    /// <summary>A node of the given kind, to be filled and recorded.</summary>
    internal TNode NewNode<TNode>()
        where TNode : TapeNode, new() =>
        _spareNodes.TryGetValue(typeof(TNode), out Stack<TapeNode>? spare) && spare.TryPop(out TapeNode? node) ? (TNode)node : new TNode();

    /// <summary>Records an operation whose result takes part in the gradient.</summary>
    internal void Record(TapeNode node, Tensor output)
    {
        node.Output = output;
        output.RequiresGradient = true;
        output.Producer = node;
        _nodes.Add(node);
    }

    /// <summary>A result of which only the gradient matters: it has no memory.</summary>
    internal Tensor NewUnread(Shape shape) => _scope.Unmaterialized(shape, Backend.ActivationType);

    /// <summary>A result that continues in the memory of an input.</summary>
    internal Tensor TakeOver(Tensor source) => _scope.TakeOver(source);

    /// <summary>The gradient that has arrived at a result, or null when nothing downstream contributed.</summary>
    internal static Tensor? GradientOf(Tensor result) => result.HasGradient ? result.Gradient : null;

    /// <summary>The gradient of a result in memory that nobody else reads, so that it can be changed in place.</summary>
    internal Tensor OwnGradientOf(Tensor result) => GradientFor(result, out _);

    /// <summary>Where an operation puts its contribution to the gradient of <paramref name="input"/>; added to what is there if <paramref name="accumulate"/>.</summary>
    internal Tensor GradientFor(Tensor input, out bool accumulate)
    {
        accumulate = input.HasGradient;
        if (input.Gradient is null)
        {
            input.Gradient = input.IsPersistent ? LeafGradient(input) : _scope.Allocate(input.Shape, input.DataType);
        }
        else if (accumulate && input.Gradient.Buffer is { IsShared: true })
        {
            // Somebody else still reads this memory: go on in a copy.
            Tensor copy = _scope.Allocate(input.Shape, input.DataType);
            Backend.Copy(input.Gradient, copy);
            input.Gradient.ReleaseMemory();
            input.Gradient = copy;
        }

        input.HasGradient = true;
        return input.Gradient;
    }

    /// <summary>Lets the gradient of an input be the very gradient of a result, or adds it to what is there.</summary>
    internal void PassGradient(Tensor gradient, Tensor input)
    {
        if (!input.RequiresGradient)
        {
            return;
        }

        if (input.HasGradient || input.IsPersistent)
        {
            Tensor target = GradientFor(input, out bool accumulate);
            if (accumulate)
            {
                Backend.AddScaled(gradient, 1, target);
            }
            else
            {
                Backend.Copy(gradient, target);
            }

            return;
        }

        input.Gradient = _scope.Share(gradient);
        input.HasGradient = true;
    }

    /// <summary>A tensor that a backward pass reads: computed again first if it was dropped.</summary>
    internal Tensor Saved(Tensor tensor)
    {
        if (!tensor.IsMaterialized && tensor.Producer is { CanRecompute: true } producer)
        {
            _scope.Rematerialize(tensor);
            producer.Recompute(this);
        }

        return tensor;
    }

    /// <summary>A gradient for a weight that has no place of its own for it: kept to the end of the step, also by a block that is computed again.</summary>
    private Tensor LeafGradient(Tensor leaf)
    {
        _leaves.Add(leaf);
        return _leafGradients.Allocate(leaf.Shape);
    }

    private void DropRecomputable(int first, Tensor kept)
    {
        for (int i = first; i < _nodes.Count; i++)
        {
            TapeNode node = _nodes[i];
            if (node.CanRecompute && !ReferenceEquals(node.Output, kept))
            {
                node.Output.ReleaseMemory();
            }
        }
    }

    private void BackwardFrom(int first)
    {
        for (int i = _nodes.Count - 1; i >= first; i--)
        {
            TapeNode node = _nodes[i];
            if (node.Output.HasGradient)
            {
                node.Backward(this);
            }

            // Everything that reads this result was recorded later and is done: result and gradient can go.
            node.Output.Gradient?.ReleaseMemory();
            node.Output.Gradient = null;
            node.Output.HasGradient = false;
            node.Output.Producer = null;
            node.Output.ReleaseMemory();
            _nodes.RemoveAt(i);
            Recycle(node);
        }
    }

    private void Recycle(TapeNode node)
    {
        node.Clear();
        node.Output = null!;
        Type type = node.GetType();
        if (!_spareNodes.TryGetValue(type, out Stack<TapeNode>? spare))
        {
            _spareNodes.Add(type, spare = new Stack<TapeNode>());
        }

        spare.Push(node);
    }
}
