using System.Text.RegularExpressions;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>What PEFT keeps in `adapter_config.json` about a LoRA adapter; the properties have the names of PEFT's fields.</summary>
public sealed record AdapterConfig
{
    /// <summary>The name of the file.</summary>
    public const string FileName = "adapter_config.json";

    private static readonly TimeSpan PatternTimeout = TimeSpan.FromSeconds(1);

    /// <summary>"CAUSAL_LM" for what this library trains.</summary>
    public string? TaskType { get; init; } = "CAUSAL_LM";

    /// <summary>The model the adapter was trained on.</summary>
    public string? BaseModelNameOrPath { get; init; }

    /// <summary>The rank of all modules that <see cref="RankPattern"/> doesn't name.</summary>
    public required int R { get; init; }

    /// <summary>Alpha of all modules that <see cref="AlphaPattern"/> doesn't name.</summary>
    public required double LoraAlpha { get; init; }

    /// <summary>The share of inputs of A that training sets to zero.</summary>
    public double LoraDropout { get; init; }

    /// <summary>Names, or ends of paths, of the adapted modules; empty where <see cref="TargetModulesPattern"/> says it.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>A regular expression that whole paths of adapted modules match, or "all-linear"; null where <see cref="TargetModules"/> says it.</summary>
    public string? TargetModulesPattern { get; init; }

    /// <summary>Modules outside the adapter that were trained and saved in full.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Ranks by module: a key is a path, its end, or a regular expression for one.</summary>
    public IReadOnlyDictionary<string, int> RankPattern { get; init; } = new Dictionary<string, int>();

    /// <summary>Alphas by module, with keys as in <see cref="RankPattern"/>.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Whether the scale is alpha / sqrt(r) (arXiv:2312.03732) in place of alpha / r.</summary>
    public bool UseRslora { get; init; }

    /// <summary>Whether the adapter has magnitudes (arXiv:2402.09353).</summary>
    public bool UseDora { get; init; }

    /// <summary>Whether the adapter is for use, not for further training.</summary>
    public bool InferenceMode { get; init; } = true;

    /// <summary>What a reader should know: fields that have no meaning here and were not at rest.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The rank of a module.</summary>
    /// <param name="path">Its path in the model, such as "model.layers.0.self_attn.q_proj".</param>
    public int RankOf(string path) => Lookup(RankPattern, path, R);

    /// <summary>Alpha of a module.</summary>
    /// <param name="path">Its path in the model.</param>
    public double AlphaOf(string path) => Lookup(AlphaPattern, path, LoraAlpha);

    /// <summary>What B·A is multiplied by in a module.</summary>
    /// <param name="path">Its path in the model.</param>
    public double ScaleOf(string path) => AlphaOf(path) / (UseRslora ? Math.Sqrt(RankOf(path)) : RankOf(path));

    /// <summary>Whether a linear layer of the blocks is among the targets.</summary>
    /// <param name="path">Its path in the model.</param>
    public bool Targets(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        if (TargetModulesPattern is null)
        {
            foreach (string name in TargetModules)
            {
                if (path == name || path.EndsWith("." + name, StringComparison.Ordinal))
                {
                    return true;
                }
            }

            return false;
        }

        return TargetModulesPattern == "all-linear"
            || Matches(path, $"^(?:{TargetModulesPattern})\\z");
    }

    /// <summary>Reads a config.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="WeightFormatException">It is no LoRA config, or asks for something that is not supported.</exception>
    public static AdapterConfig Read(string path) => new AdapterConfigReader(path).Read();

    /// <summary>The text that <see cref="Read"/>, and PEFT, read.</summary>
    public string ToJson() => AdapterConfigReader.Write(this);

    private static T Lookup<T>(IReadOnlyDictionary<string, T> pattern, string path, T otherwise)
    {
        ArgumentNullException.ThrowIfNull(path);
        foreach ((string key, T value) in pattern)
        {
            if (Matches(path, $"^(?:.*\\.)?(?:{key})$"))
            {
                return value;
            }
        }

        return otherwise;
    }

    private static bool Matches(string path, string pattern)
    {
        try
        {
            return Regex.IsMatch(path, pattern, RegexOptions.CultureInvariant, PatternTimeout);
        }
        catch (RegexMatchTimeoutException error)
        {
            throw new WeightFormatException(FileName, $"the pattern '{pattern}' takes too long on '{path}'; write it in a simpler way", inner: error);
        }
    }
}
