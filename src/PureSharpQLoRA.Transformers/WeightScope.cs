using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>
/// A place in the tree of a model's weights. Layers are made here by name and size; whether a weight comes dense, mapped from its file, or quantised,
/// frozen or trainable, is decided behind it, so that models never mention it.
/// </summary>
public sealed class WeightScope
{
    private readonly WeightLoader _loader;
    private readonly string _prefix;

    internal WeightScope(WeightLoader loader, string prefix = "") => (_loader, _prefix) = (loader, prefix);

    internal WeightLoader Loader => _loader;

    /// <summary>The scope of a named part, for example "model.layers.0".</summary>
    public WeightScope Child(string name) => new(_loader, Join(name));

    /// <summary>A normalisation over groups of <paramref name="size"/> values; reads "name.weight".</summary>
    /// <exception cref="Formats.WeightFormatException">The weight is missing or has another shape.</exception>
    public RmsNorm RmsNorm(string name, int size, float epsilon) => new(_loader.Vector(Join(name) + ".weight", size), epsilon);

    /// <summary>A linear layer; reads "name.weight" [outputs, inputs] and with <paramref name="bias"/> "name.bias" [outputs].</summary>
    /// <exception cref="Formats.WeightFormatException">A weight is missing or has another shape.</exception>
    public Linear Linear(string name, int inputs, int outputs, bool bias = false)
    {
        string path = Join(name);
        Tensor weight = _loader.Matrix(path + ".weight", outputs, inputs, quantizable: true);
        var linear = new Linear(path, weight, bias ? _loader.Vector(path + ".bias", outputs) : null);
        _loader.Linears.Add(linear);
        return linear;
    }

    /// <summary>Token embeddings; reads "name.weight" [count, width]. Never quantised.</summary>
    /// <exception cref="Formats.WeightFormatException">The weight is missing or has another shape.</exception>
    public EmbeddingLayer Embedding(string name, int count, int width) =>
        new(_loader.Matrix(Join(name) + ".weight", count, width, quantizable: false));

    /// <summary>The rotary embedding that all blocks share; it has no weights.</summary>
    public RotaryEmbedding Rotary(int headSize, int maxPositions, RotaryScaling scaling)
    {
        var rotary = new RotaryEmbedding(_loader.Backend, headSize, maxPositions, scaling);
        _loader.Owned.Add(rotary);
        return rotary;
    }

    /// <summary>The attention of block <paramref name="layer"/>.</summary>
    /// <param name="layer">Counts from 0.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="keyValueHeads">Key and value heads.</param>
    /// <param name="headSize">Values per head.</param>
    /// <param name="slidingWindow">How many tokens a query sees, itself included; 0 for all.</param>
    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Layers of every kind are made through a scope.")]
    public AttentionLayer Attention(int layer, int heads, int keyValueHeads, int headSize, int slidingWindow = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layer);
        return new AttentionLayer(layer, new AttentionShape(heads, keyValueHeads, headSize, 1 / MathF.Sqrt(headSize), slidingWindow));
    }

    /// <summary>A head of its own; reads "name.weight" [outputs, inputs]. Never quantised.</summary>
    /// <exception cref="Formats.WeightFormatException">The weight is missing or has another shape.</exception>
    public LanguageHead Head(string name, int inputs, int outputs) => new(_loader.Matrix(Join(name) + ".weight", outputs, inputs, quantizable: false));

    /// <summary>A head that uses the embedding's weights.</summary>
    [SuppressMessage("Performance", "CA1822:Mark members as static", Justification = "Layers of every kind are made through a scope.")]
    public LanguageHead TiedHead(EmbeddingLayer embedding)
    {
        ArgumentNullException.ThrowIfNull(embedding);
        return new LanguageHead(embedding.Weight);
    }

    private string Join(string name) => _prefix.Length == 0 ? name : string.Create(CultureInfo.InvariantCulture, $"{_prefix}.{name}");
}
