using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>Makes typed models from folders of weights.</summary>
public static class ModelLoader
{
    /// <summary>Loads a model: its generated type asks for weights by name, and they come from the folder.</summary>
    /// <typeparam name="TModel">A generated model.</typeparam>
    /// <param name="folder">A Hugging Face model folder.</param>
    /// <param name="backend">Where to compute; must outlive the model.</param>
    /// <param name="options">How to keep the base; by default in NF4.</param>
    /// <param name="create">Constructs the model, usually <c>scope => new TModel(scope)</c>.</param>
    /// <exception cref="WeightFormatException">A file is missing or damaged, or a weight has another shape than the model needs.</exception>
    public static TModel Load<TModel>(string folder, IBackend backend, LoadOptions? options, Func<WeightScope, TModel> create)
        where TModel : CausalLanguageModel
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(backend);
        ArgumentNullException.ThrowIfNull(create);
        CheckpointReader checkpoint = CheckpointReader.Open(folder);
        WeightLoader loader;
        try
        {
            loader = new WeightLoader(checkpoint, backend, options ?? new LoadOptions());
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }

        try
        {
            return create(new WeightScope(loader));
        }
        catch
        {
            loader.Dispose();
            throw;
        }
    }
}
