using PureSharpQLoRA.Generators.Diagnostics;
using PureSharpQLoRA.Generators.Model;
using PureSharpQLoRA.Generators.Parsing.Families;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>config.json -> <see cref="ModelSpec"/>.</summary>
internal static class ConfigParser
{
    /// <summary>The model, or null with at least one error in <paramref name="bag"/>.</summary>
    public static ModelSpec? Parse(string json, DiagnosticBag bag)
    {
        JsonNode root;
        try
        {
            root = JsonReader.Parse(json);
        }
        catch (JsonSyntaxException error)
        {
            bag.Add(Descriptors.InvalidJson, error.Span, error.Message);
            return null;
        }

        if (root.Kind != JsonKind.Object)
        {
            bag.Add(Descriptors.InvalidJson, root.Span, "A config is an object, but this is " + root.Shown);
            return null;
        }

        var config = new ConfigReader(root, bag);
        string? modelType = config.String("model_type");
        if (modelType is null)
        {
            if (!config.HasErrors)
            {
                config.Missing("model_type", "supported are " + FamilyTable.Supported);
            }

            return null;
        }

        if (FamilyTable.Find(modelType) is not { } family)
        {
            config.Report(Descriptors.UnknownFamily, root.Members["model_type"], modelType, FamilyTable.Supported);
            return null;
        }

        ModelSpec spec = family.Parse(config);
        QuantizationFields.Check(config);
        NeutralFields.Check(config);
        return config.HasErrors ? null : spec with { ModelType = modelType, FamilyName = family.Name };
    }
}
