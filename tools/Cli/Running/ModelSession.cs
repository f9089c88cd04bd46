using PureSharpQLoRA.Cli.Commands;
using PureSharpQLoRA.Cli.ModelCompilation;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>A loaded model with its tokenizer, and the backend it computes on.</summary>
internal sealed class ModelSession : IDisposable
{
    private readonly CompiledModel _type;

    private ModelSession(ModelBlueprint blueprint, IBackend backend, CompiledModel type, CausalLanguageModel model, Tokenizer tokenizer) =>
        (Blueprint, Backend, _type, Model, Tokenizer) = (blueprint, backend, type, model, tokenizer);

    public ModelBlueprint Blueprint { get; }

    public IBackend Backend { get; }

    public CausalLanguageModel Model { get; }

    public Tokenizer Tokenizer { get; }

    /// <summary>Loads the model that the options name, kept as they say, and the adapter if they name one.</summary>
    public static ModelSession Open(CommandContext context)
    {
        OptionValues values = context.Values;
        string? adapter = values.Find(CommonOptions.Adapter);
        AdapterOrigin origin = AdapterOrigin.Find(adapter);
        ModelSession session = Open(context, new LoadOptions
        {
            LoadIn4Bit = values.Find(CommonOptions.LoadIn4Bit) is { } given ? given == "true" : origin.LoadIn4Bit,
            DoubleQuantization = values.Find(CommonOptions.DoubleQuantization) is { } nested ? nested == "true" : origin.DoubleQuantization,
        });
        if (adapter is not null)
        {
            try
            {
                session.Model.Adapters.Load("adapter", adapter);
            }
            catch
            {
                session.Dispose();
                throw;
            }
        }

        return session;
    }

    /// <summary>Loads the model that the options name.</summary>
    /// <param name="context">The command.</param>
    /// <param name="load">How it is kept.</param>
    /// <param name="beforeLoading">Called when config and tokenizer were read and the backend is there, before any weight is loaded.</param>
    public static ModelSession Open(CommandContext context, LoadOptions load, Action<ModelBlueprint, Tokenizer, IBackend>? beforeLoading = null) =>
        Open(context, context.Values.Text(CommonOptions.Model), load, beforeLoading);

    /// <summary>Loads the model of a folder or a GGUF file.</summary>
    public static ModelSession Open(CommandContext context, string folder, LoadOptions load, Action<ModelBlueprint, Tokenizer, IBackend>? beforeLoading = null)
    {
        string files = ModelPath.FilesOf(context, folder);
        ModelBlueprint blueprint = ModelBlueprint.Read(files);
        Tokenizer tokenizer = Tokenizer.Load(files);
        IBackend? backend = null;
        CompiledModel? type = null;
        try
        {
            backend = BackendChoice.Create(context);
            beforeLoading?.Invoke(blueprint, tokenizer, backend);
            type = new ModelCompiler(new CompilationCache(context.Host.CacheFolder ?? CompilationCache.DefaultFolder)).Compile(blueprint);
            CausalLanguageModel model = ModelLoader.Load(folder, backend, load, type.Create);
            return new ModelSession(blueprint, backend, type, model, tokenizer);
        }
        catch
        {
            type?.Dispose();
            backend?.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Model.Dispose();
        Backend.Dispose();
        _type.Dispose();
    }
}
