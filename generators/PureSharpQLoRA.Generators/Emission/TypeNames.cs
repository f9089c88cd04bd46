using System.Text;
using Microsoft.CodeAnalysis.CSharp;

namespace PureSharpQLoRA.Generators.Emission;

/// <summary>Names of the emitted types.</summary>
/// <param name="Namespace">Their namespace.</param>
/// <param name="Model">The model's class; the others' names start with it.</param>
internal sealed record TypeNames(string Namespace, string Model)
{
    // Members of the emitted classes and types their code names: a class of the same name would hide them.
    private static readonly HashSet<string> Reserved = new(StringComparer.Ordinal)
    {
        "Attention", "AttentionLayer", "Block", "Blocks", "CausalLanguageModel", "Description", "Embedding", "EmbeddingLayer", "Forward", "Head", "IBlock",
        "LanguageHead", "Layers", "Linear", "ModelDescription", "Module", "Norm", "PureSharpQLoRA", "RmsNorm", "Rotary", "RotaryEmbedding",
        "RotaryScaling", "SequenceLayout", "System", "Tape", "Tensor", "WeightScope",
    };

    public string Block => Model + "Block";

    public string MemoryPlan => Model + "MemoryPlan";

    /// <summary>Fully qualified, for messages and file names.</summary>
    public string FullName => Namespace + "." + Model;

    public string HintName(string type) => Namespace + "." + type + ".g.cs";

    /// <summary>A class name made of a folder name: TinyLlama-1.1B-Chat becomes TinyLlama1_1BChat.</summary>
    public static string FromFolder(string folder)
    {
        var name = new StringBuilder();
        bool startsWord = true;
        foreach (char c in folder)
        {
            if (!char.IsLetterOrDigit(c))
            {
                startsWord = true;
                continue;
            }

            if (startsWord && name.Length > 0 && char.IsDigit(c) && char.IsDigit(name[name.Length - 1]))
            {
                name.Append('_');
            }

            name.Append(startsWord ? char.ToUpperInvariant(c) : c);
            startsWord = false;
        }

        if (name.Length == 0 || char.IsDigit(name[0]))
        {
            name.Insert(0, "Model");
        }

        return Reserved.Contains(name.ToString()) ? name.Append("Model").ToString() : name.ToString();
    }

    public static bool IsClassName(string name) => IsIdentifier(name) && !Reserved.Contains(name);

    public static bool IsNamespace(string name) => name.Split('.').All(IsIdentifier);

    private static bool IsIdentifier(string name) => SyntaxFacts.IsValidIdentifier(name) && SyntaxFacts.GetKeywordKind(name) == SyntaxKind.None;
}
