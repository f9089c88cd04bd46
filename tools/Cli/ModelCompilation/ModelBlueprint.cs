using PureSharpQLoRA.Generators;
using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Transformers.Formats;

namespace PureSharpQLoRA.Cli.ModelCompilation;

/// <summary>What a model's config.json says: its sizes, and the code of its type.</summary>
internal sealed record ModelBlueprint
{
    private ModelBlueprint(string configPath, string configJson, EmittedSources sources) =>
        (ConfigPath, ConfigJson, Sources, Spec) = (configPath, configJson, sources, sources.Spec!);

    public string ConfigPath { get; }

    public string ConfigJson { get; }

    public EmittedSources Sources { get; }

    public ModelSpec Spec { get; }

    /// <summary>The name of the model's folder, for people.</summary>
    public string Name => Path.GetFileName(Path.GetDirectoryName(ConfigPath)) is { Length: > 0 } name ? name : "model";

    /// <summary>Reads the config of a model.</summary>
    /// <param name="path">A model folder, or its config.json.</param>
    /// <param name="options">Names and settings of the emitted code.</param>
    /// <exception cref="CliException">There is none, or it is wrong; the message has a line per finding.</exception>
    public static ModelBlueprint Read(string path, ModelOptions? options = null)
    {
        if (File.Exists(path) && path.EndsWith(GgufFile.Extension, StringComparison.OrdinalIgnoreCase))
        {
            throw new CliException($"{path} is a GGUF file; this command needs a model folder, or at least its config.json.");
        }

        string config = Path.GetFullPath(Directory.Exists(path) ? Path.Combine(path, "config.json") : path);
        if (!File.Exists(config))
        {
            throw new CliException(Directory.Exists(path)
                ? $"{path} is no model folder: it has no config.json."
                : $"There is no model folder or config.json at {path}. Models are read from the disk; download the files of a Hugging Face repository first.");
        }

        string json = File.ReadAllText(config);
        EmittedSources sources = ModelSourceEmitter.Emit(json, config, options ?? new ModelOptions());
        if (!sources.Succeeded)
        {
            throw new CliException(string.Join(Environment.NewLine, sources.Diagnostics.Where(found => found.IsError).Select(Show)));
        }

        return new ModelBlueprint(config, json, sources);
    }

    private static string Show(ModelDiagnostic found) => FormattableString.Invariant($"{found.Path}({found.Line},{found.Column}): {found.Id}: {found.Message}");
}
