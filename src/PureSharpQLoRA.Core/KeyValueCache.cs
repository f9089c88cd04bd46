namespace PureSharpQLoRA.Core;

/// <summary>Keys and values of the tokens generated so far, one pair of matrices per layer, in the activation type.</summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly TensorScope _scope;
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;

    /// <summary>A cache for up to <paramref name="capacity"/> tokens of one document.</summary>
    /// <param name="backend">Where the model computes.</param>
    /// <param name="layers">The number of layers.</param>
    /// <param name="capacity">The most tokens that fit.</param>
    /// <param name="width">Values per token and layer: key/value heads times head size.</param>
    public KeyValueCache(IBackend backend, int layers, int capacity, int width)
    {
        ArgumentNullException.ThrowIfNull(backend);
        Capacity = capacity;
        _scope = new TensorScope(backend.Memory, MemoryPurpose.Workspace);
        _keys = new Tensor[layers];
        _values = new Tensor[layers];
        for (int layer = 0; layer < layers; layer++)
        {
            _keys[layer] = _scope.Allocate(new Shape(capacity, width), backend.ActivationType);
            _values[layer] = _scope.Allocate(new Shape(capacity, width), backend.ActivationType);
        }
    }

    /// <summary>The most tokens that fit.</summary>
    public int Capacity { get; }

    /// <summary>How many tokens are there.</summary>
    public int Length { get; private set; }

    /// <summary>Keys of a layer, [capacity, width]; rows below <see cref="Length"/> are valid.</summary>
    public Tensor Keys(int layer) => _keys[layer];

    /// <summary>Values of a layer, [capacity, width].</summary>
    public Tensor Values(int layer) => _values[layer];

    /// <summary>Counts the tokens whose keys and values all layers have stored.</summary>
    public void Advance(int tokens) => Length = checked(Length + tokens);

    /// <summary>Forgets the tokens from position <paramref name="length"/> on.</summary>
    public void Truncate(int length) => Length = Math.Min(Length, length);

    /// <inheritdoc/>
    public void Dispose() => _scope.Dispose();
}
