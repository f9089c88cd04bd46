namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>The supported model families by config.json's model_type.</summary>
internal static class FamilyTable
{
    private static readonly Dictionary<string, IModelFamily> Families = new(StringComparer.Ordinal)
    {
        ["llama"] = new LlamaFamily(),
        ["mistral"] = new MistralFamily(),
        ["qwen2"] = new Qwen2Family(),
        ["qwen3"] = new Qwen3Family(),
        ["smollm3"] = new SmolLm3Family(),
    };

    /// <summary>The supported values of model_type, for messages.</summary>
    public static string Supported => string.Join(", ", Families.Keys.OrderBy(name => name, StringComparer.Ordinal));

    /// <summary>The family of a model_type, or null.</summary>
    public static IModelFamily? Find(string modelType) => Families.TryGetValue(modelType, out IModelFamily? family) ? family : null;
}
