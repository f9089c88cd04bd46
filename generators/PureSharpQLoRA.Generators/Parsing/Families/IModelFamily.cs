using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Parsing.Families;

/// <summary>Reads the configs of one model_type.</summary>
internal interface IModelFamily
{
    /// <summary>The family's name in prose.</summary>
    string Name { get; }

    /// <summary>The model. What is wrong with the config is reported to <paramref name="config"/>; the result is then not used.</summary>
    ModelSpec Parse(ConfigReader config);
}
