using PureSharpQLoRA.Core;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Transformers;

/// <summary>The adapters of a model: any number loaded, one in use or none, switched without touching the base.</summary>
public sealed class AdapterSet : IDisposable
{
    /// <summary>What PEFT puts before the names of <see cref="Adapter.Parameters"/> in its files.</summary>
    public const string FileKeyPrefix = "base_model.model.";

    private readonly CausalLanguageModel _model;
    private readonly Dictionary<string, Adapter> _adapters = new(StringComparer.Ordinal);

    internal AdapterSet(CausalLanguageModel model) => _model = model;

    /// <summary>The adapter in use, or null for the plain base model.</summary>
    public Adapter? Active { get; private set; }

    /// <summary>The names of all adapters that are loaded.</summary>
    public IReadOnlyCollection<string> Names => _adapters.Keys;

    /// <summary>
    /// Adds a fresh adapter and puts it to use: A from the uniform distribution within 1 / sqrt(inputs) (Kaiming with a = sqrt 5), B zero, the DoRA magnitude the
    /// norms of the base's rows, so that the model computes what it did before.
    /// </summary>
    /// <param name="name">Not in use yet.</param>
    /// <param name="options">How to build it.</param>
    /// <param name="seed">The same seed gives the same A.</param>
    /// <exception cref="ArgumentException">The options make no sense, no layer is targeted, or a target names no layer.</exception>
    public Adapter Add(string name, LoraOptions options, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        CheckTargets(options);
        Adapter adapter = Create(name, options, layer => options.Targets(layer.Path) ? new AdapterSize(options.Rank, options.Scale) : null);
        foreach (AdapterModule module in adapter.Modules)
        {
            Initialize(module, seed);
        }

        Use(adapter);
        return adapter;
    }

    /// <summary>Loads an adapter that PEFT or this library wrote, and puts it to use.</summary>
    /// <param name="name">Not in use yet.</param>
    /// <param name="folder">With adapter_config.json and adapter_model.safetensors.</param>
    /// <exception cref="WeightFormatException">A file is missing or damaged, or the adapter is for another model.</exception>
    public Adapter Load(string name, string folder)
    {
        using PeftAdapterFile file = PeftAdapterFile.Open(folder);
        return AdapterFiles.Load(_model, name, file);
    }

    /// <summary>Writes an adapter as PEFT does.</summary>
    /// <param name="name">A loaded adapter.</param>
    /// <param name="folder">Receives adapter_config.json and adapter_model.safetensors.</param>
    public void Save(string name, string folder) => AdapterFiles.Save(Get(name), folder, _model);

    /// <summary>Puts a loaded adapter to use, or none.</summary>
    /// <exception cref="ArgumentException">There is no adapter of that name.</exception>
    public void Activate(string? name) => Use(name is null ? null : Get(name));

    /// <summary>Unloads an adapter.</summary>
    public void Remove(string name)
    {
        Adapter adapter = Get(name);
        if (ReferenceEquals(adapter, Active))
        {
            Use(null);
        }

        _adapters.Remove(name);
        adapter.Release();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Use(null);
        foreach (Adapter adapter in _adapters.Values)
        {
            adapter.Release();
        }

        _adapters.Clear();
    }

    internal Adapter Get(string name) => _adapters.TryGetValue(name, out Adapter? adapter)
        ? adapter
        : throw new ArgumentException($"There is no adapter '{name}'; loaded are: {(_adapters.Count == 0 ? "none" : string.Join(", ", _adapters.Keys))}.");

    /// <summary>An adapter whose weights are still undefined.</summary>
    /// <param name="name">Not in use yet.</param>
    /// <param name="options">How it is built.</param>
    /// <param name="sizeFor">Rank and scale for a layer, or null for one that is not adapted.</param>
    internal Adapter Create(string name, LoraOptions options, Func<Linear, AdapterSize?> sizeFor)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (_adapters.ContainsKey(name))
        {
            throw new ArgumentException($"An adapter '{name}' is loaded already.");
        }

        var scope = new TensorScope(_model.Backend.Memory, MemoryPurpose.Adapters);
        var modules = new List<AdapterModule>();
        foreach (Linear layer in _model.Linears)
        {
            if (sizeFor(layer) is not { } size)
            {
                continue;
            }

            Tensor a = scope.Allocate(new Shape(size.Rank, layer.Inputs)), b = scope.Allocate(new Shape(layer.Outputs, size.Rank));
            Tensor? magnitude = options.UseDora ? scope.Allocate(new Shape(layer.Outputs)) : null;
            modules.Add(new AdapterModule(layer, new LowRankAdapter(a, b, size.Scale, options.Dropout, magnitude)));
        }

        var adapter = new Adapter(name, options, scope, modules);
        _adapters.Add(name, adapter);
        return adapter;
    }

    internal void Use(Adapter? adapter)
    {
        foreach (Linear layer in _model.Linears)
        {
            layer.Adapter = null;
        }

        foreach (AdapterModule module in adapter?.Modules ?? [])
        {
            module.Layer.Adapter = module.Weights;
        }

        Active = adapter;
    }

    private void CheckTargets(LoraOptions options)
    {
        foreach (string target in options.TargetModules)
        {
            LoraOptions single = options with { TargetModules = [target] };
            if (!_model.Linears.Any(layer => single.Targets(layer.Path)))
            {
                IEnumerable<string> known = _model.Linears.Select(layer => layer.Path[(layer.Path.LastIndexOf('.') + 1)..]).Distinct();
                throw new ArgumentException($"target_modules: '{target}' names no linear layer of the model; there are {string.Join(", ", known)}.");
            }
        }
    }

    private void Initialize(AdapterModule module, ulong seed)
    {
        (Tensor a, Tensor b) = (module.Weights.A, module.Weights.B);
        var values = new float[a.Shape.Count];
        ulong stream = Philox.Mix(seed, module.Layer.Path);
        float bound = 1 / MathF.Sqrt(module.Layer.Inputs);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = bound * ((2 * Philox.Uniform(stream, (ulong)i)) - 1);
        }

        _model.Backend.Upload(values, a);
        _model.Backend.Fill(b, 0);
        if (module.Weights.Magnitude is { } magnitude)
        {
            _model.Backend.AdaptedRowNorms(module.Layer.Weight, a, b, module.Weights.Scale, magnitude);
        }
    }
}

/// <summary>Rank and scale of an adapter in one layer.</summary>
/// <param name="Rank">The rank.</param>
/// <param name="Scale">The factor on B·A.</param>
internal readonly record struct AdapterSize(int Rank, float Scale);
