using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>Rotates queries and keys by their positions. All blocks of a model share one, whose tables grow with the longest document seen.</summary>
public sealed class RotaryEmbedding : Module, IDisposable
{
    private const int FirstPositions = 512;

    private readonly IBackend _backend;
    private readonly int _headSize;
    private readonly int _maxPositions;
    private readonly RotaryScaling _scaling;
    private readonly TensorScope _scope;
    private Tensor _cosines = null!;
    private Tensor _sines = null!;
    private int _positions;
    private int _lengthOfFrequencies;

    internal RotaryEmbedding(IBackend backend, int headSize, int maxPositions, RotaryScaling scaling)
    {
        (_backend, _headSize, _maxPositions, _scaling) = (backend, headSize, scaling.LongestDocument(maxPositions), scaling);
        _scope = new TensorScope(backend.Memory, MemoryPurpose.Weights);
    }

    /// <summary>Rotates each head of <paramref name="x"/>, whose memory the result takes over.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[tokens, heads * headSize], spent.</param>
    /// <param name="layout">Gives the positions.</param>
    public Tensor Forward(Tape tape, Tensor x, SequenceLayout layout)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(layout);
        Reserve(layout.LongestDocument);
        return tape.Rotary(x, _cosines, _sines, layout, _headSize);
    }

    /// <inheritdoc/>
    public void Dispose() => _scope.Dispose();

    private void Reserve(int length)
    {
        if (length > _maxPositions)
        {
            throw new ShapeException("Rotary", "the longest document", $"at most {_maxPositions} tokens (max_position_embeddings)", $"{length} tokens");
        }

        bool stretched = Math.Max(length, _lengthOfFrequencies) > _scaling.FixedUpTo && length != _lengthOfFrequencies;
        if (length <= _positions && !stretched)
        {
            return;
        }

        int positions = Math.Min(_maxPositions, Math.Max(Math.Max(length, FirstPositions), 2 * _positions));
        _scope.Reset();
        int half = _headSize / 2;
        float[] frequencies = _scaling.Frequencies(_headSize, length);
        var cosines = new float[positions * half];
        var sines = new float[positions * half];
        for (int i = 0; i < cosines.Length; i++)
        {
            float angle = i / half * frequencies[i % half];
            cosines[i] = MathF.Cos(angle) * _scaling.AttentionFactor;
            sines[i] = MathF.Sin(angle) * _scaling.AttentionFactor;
        }

        _cosines = _scope.Allocate(new Shape(positions, half));
        _sines = _scope.Allocate(new Shape(positions, half));
        _backend.Upload(cosines, _cosines);
        _backend.Upload(sines, _sines);
        (_positions, _lengthOfFrequencies) = (positions, length);
    }
}
