using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>The base of generated models: a decoder that predicts the next token. Owns its weights and adapters.</summary>
public abstract class CausalLanguageModel : Module, IDisposable
{
    private readonly WeightLoader _loader;

    /// <summary>Takes over what the scope has loaded; generated constructors then create the layers.</summary>
    protected CausalLanguageModel(WeightScope scope, ModelDescription description)
    {
        ArgumentNullException.ThrowIfNull(scope);
        ArgumentNullException.ThrowIfNull(description);
        _loader = scope.Loader;
        Sizes = description;
        Adapters = new AdapterSet(this);
    }

    /// <summary>The sizes of the model.</summary>
    public ModelDescription Sizes { get; }

    /// <summary>Where the model computes.</summary>
    public IBackend Backend => _loader.Backend;

    /// <summary>Where the weights came from.</summary>
    public string Folder => _loader.Folder;

    /// <summary>Token embeddings.</summary>
    public abstract EmbeddingLayer Embedding { get; }

    /// <summary>The head.</summary>
    public abstract LanguageHead Head { get; }

    /// <summary>All linear layers of the blocks, in order: what "all-linear" means.</summary>
    public IReadOnlyList<Linear> Linears => _loader.Linears;

    /// <summary>The adapters that are loaded, and which one is in use.</summary>
    public AdapterSet Adapters { get; }

    /// <summary>Whether the model was loaded with all weights trainable.</summary>
    public bool TrainsAllWeights => _loader.Options.TrainAllWeights;

    /// <summary>The base model's own weights where they are trainable, else empty.</summary>
    public IReadOnlyList<Parameter> Weights => _loader.Parameters;

    /// <summary>What an optimizer updates: all weights, or those of the adapter in use.</summary>
    public IReadOnlyList<Parameter> TrainableParameters => TrainsAllWeights ? Weights : Adapters.Active?.Parameters ?? [];

    /// <summary>Maps ids [tokens] to normed hidden states [tokens, width].</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="ids">[tokens] int32.</param>
    /// <param name="layout">The documents that the tokens belong to.</param>
    public abstract Tensor Forward(Tape tape, Tensor ids, SequenceLayout layout);

    /// <summary>Releases weights and adapters.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Releases weights and adapters.</summary>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            Adapters.Dispose();
            _loader.Dispose();
        }
    }
}
