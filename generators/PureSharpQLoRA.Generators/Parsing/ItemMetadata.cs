using System.Globalization;
using Microsoft.CodeAnalysis.Diagnostics;
using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Emission;
using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>The metadata of a HuggingFaceModel item as MSBuild hands it over: strings, empty where not given.</summary>
internal sealed record ItemMetadata(
    string ClassName,
    string Namespace,
    string VramBudget,
    string TokensPerStep,
    string Rank,
    string GradientCheckpointing,
    string DoubleQuantization,
    string RootNamespace)
{
    // MSBuild metadata that tells a model's config from any other additional file; set by the targets.
    private const string Marker = "build_metadata.AdditionalFiles.IsHuggingFaceModel";

    /// <summary>The metadata, or null where the file is not a HuggingFaceModel.</summary>
    public static ItemMetadata? Read(AnalyzerConfigOptions file, AnalyzerConfigOptions global)
    {
        if (!file.TryGetValue(Marker, out string? marker) || !string.Equals(marker, "true", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        string Get(string name) => file.TryGetValue("build_metadata.AdditionalFiles." + name, out string? value) ? value.Trim() : "";
        return new ItemMetadata(
            Get(nameof(ClassName)), Get(nameof(Namespace)), Get(nameof(VramBudget)), Get(nameof(TokensPerStep)), Get(nameof(Rank)),
            Get(nameof(GradientCheckpointing)), Get(nameof(DoubleQuantization)),
            global.TryGetValue("build_property.RootNamespace", out string? root) ? root.Trim() : "");
    }

    /// <summary>The options meant; what is no valid option is reported, at the start of the config since the project file's lines are not known.</summary>
    public ModelOptions ToOptions(DiagnosticBag bag) => new()
    {
        ClassName = ClassName.Length > 0 ? ClassName : null,
        Namespace = Namespace.Length > 0 ? Namespace : DefaultNamespace,
        VramBudget = ReadBudget(bag),
        TokensPerStep = ReadCount(bag, nameof(TokensPerStep), TokensPerStep, fallback: 2048, most: 1 << 28),
        Rank = ReadCount(bag, nameof(Rank), Rank, fallback: 16, most: 65536),
        GradientCheckpointing = ReadFlag(bag, nameof(GradientCheckpointing), GradientCheckpointing, fallback: true),
        DoubleQuantization = ReadFlag(bag, nameof(DoubleQuantization), DoubleQuantization, fallback: false),
    };

    private string DefaultNamespace => TypeNames.IsNamespace(RootNamespace) ? RootNamespace + ".Models" : "Models";

    private long? ReadBudget(DiagnosticBag bag)
    {
        if (VramBudget.Length == 0)
        {
            return null;
        }

        if (ByteSize.TryParse(VramBudget, out long bytes))
        {
            return bytes;
        }

        Invalid(bag, nameof(VramBudget), VramBudget, "write a size such as 16GiB, 24GB or a number of bytes");
        return null;
    }

    private static int ReadCount(DiagnosticBag bag, string name, string text, int fallback, int most)
    {
        if (text.Length == 0)
        {
            return fallback;
        }

        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= 1 && value <= most)
        {
            return value;
        }

        Invalid(bag, name, text, $"write a whole number from 1 to {most}");
        return fallback;
    }

    private static bool ReadFlag(DiagnosticBag bag, string name, string text, bool fallback)
    {
        if (text.Length == 0)
        {
            return fallback;
        }

        if (bool.TryParse(text, out bool value))
        {
            return value;
        }

        Invalid(bag, name, text, "write true or false");
        return fallback;
    }

    private static void Invalid(DiagnosticBag bag, string name, string text, string wanted) =>
        bag.Add(Descriptors.InvalidMetadata, default, name, text, wanted);
}
