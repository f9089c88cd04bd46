using System.Reflection;
using System.Runtime.Loader;
using PureSharpQLoRA.Transformers;

namespace PureSharpQLoRA.Cli.ModelCompilation;

/// <summary>A model's type, loaded beside the program; disposing lets it go once no model of it is left.</summary>
internal sealed class CompiledModel : IDisposable
{
    private readonly AssemblyLoadContext _context;
    private readonly ConstructorInfo _constructor;

    public CompiledModel(byte[] assembly, string modelType, bool fromCache)
    {
        FromCache = fromCache;
        _context = new AssemblyLoadContext("model", isCollectible: true);
        using var stream = new MemoryStream(assembly);
        Type type = _context.LoadFromStream(stream).GetType(modelType, throwOnError: true)!;
        _constructor = type.GetConstructor([typeof(WeightScope)])!;
    }

    /// <summary>Whether it had been compiled before.</summary>
    public bool FromCache { get; }

    /// <summary>Makes the model: its layers ask the scope for their weights.</summary>
    public CausalLanguageModel Create(WeightScope scope) =>
        (CausalLanguageModel)_constructor.Invoke(BindingFlags.DoNotWrapExceptions, binder: null, [scope], culture: null);

    public void Dispose() => _context.Unload();
}
