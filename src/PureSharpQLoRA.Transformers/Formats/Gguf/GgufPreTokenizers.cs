using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// The names that GGUF has for ways of splitting text into words before merging. A name stands for the patterns, and for whether a word that is a token
/// is taken without merging (ignore_merges); both must agree with tokenizer.json.
/// </summary>
internal static class GgufPreTokenizers
{
    /// <summary>The pattern of GPT-2, which "ByteLevel" has built in.</summary>
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Tekken = @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <summary>Splits at every digit.</summary>
    private const string Digits = @"\p{N}";

    private static readonly (string Name, string[] Patterns, bool IgnoresMerges)[] Table =
    [
        ("llama-bpe", [Llama3], true),
        ("smaug-bpe", [Llama3], false),
        ("qwen2", [Qwen2], false),
        ("tekken", [Tekken], true),
        ("smollm", [Digits, Gpt2], false),
        ("gpt-2", [Gpt2], false),
    ];

    public static IEnumerable<string> Names => Table.Select(row => row.Name);

    /// <summary>The name for what a tokenizer.json does, or null.</summary>
    public static string? Find(JsonElement root)
    {
        var patterns = new List<string>();
        if (!root.TryGetProperty("pre_tokenizer", out JsonElement preTokenizer) || !Collect(preTokenizer, patterns))
        {
            return null;
        }

        bool ignoresMerges = root.GetProperty("model").TryGetProperty("ignore_merges", out JsonElement ignore) && ignore.ValueKind == JsonValueKind.True;
        return Table.FirstOrDefault(row => row.Patterns.SequenceEqual(patterns) && row.IgnoresMerges == ignoresMerges).Name;
    }

    /// <summary>The components of tokenizer.json that do what a name stands for, and whether words are taken without merging; null for an unknown name.</summary>
    public static (IReadOnlyList<string> Patterns, bool IgnoresMerges)? Find(string name)
    {
        string known = name switch
        {
            "llama3" or "llama-v3" or "falcon3" => "llama-bpe",
            "dbrx" => "smaug-bpe",
            "deepseek-r1-qwen" => "qwen2",
            "starcoder" or "refact" or "command-r" => "smollm",
            "gpt2" => "gpt-2",
            _ => name,
        };
        (string Name, string[] Patterns, bool IgnoresMerges) row = Table.FirstOrDefault(row => row.Name == known);
        return row.Name is null ? null : (row.Patterns, row.IgnoresMerges);
    }

    /// <summary>Adds the patterns of a component, in the order in which they are applied; false where there is one of a kind that GGUF has no name for.</summary>
    private static bool Collect(JsonElement component, List<string> patterns)
    {
        if (component.ValueKind != JsonValueKind.Object || !component.TryGetProperty("type", out JsonElement type))
        {
            return false;
        }

        switch (type.GetString())
        {
            case "Sequence":
                return component.TryGetProperty("pretokenizers", out JsonElement parts) && parts.EnumerateArray().All(part => Collect(part, patterns));
            case "Split":
                if (!component.TryGetProperty("pattern", out JsonElement pattern) || !pattern.TryGetProperty("Regex", out JsonElement regex)
                    || !component.TryGetProperty("behavior", out JsonElement behavior))
                {
                    return false;
                }

                patterns.Add(regex.GetString()!);

                // Where the pattern matches every character, the pieces between matches are empty, and both ways give the same.
                return IsTrue(component, "invert") ? behavior.ValueEquals("Removed") : behavior.ValueEquals("Isolated");
            case "Digits":
                patterns.Add(Digits);
                return IsTrue(component, "individual_digits");
            case "ByteLevel":
                if (IsTrue(component, "add_prefix_space"))
                {
                    return false;
                }

                // use_regex is true where it is absent.
                if (!component.TryGetProperty("use_regex", out JsonElement use) || use.ValueKind == JsonValueKind.True)
                {
                    patterns.Add(Gpt2);
                }

                return true;
            default:
                return false;
        }
    }

    private static bool IsTrue(JsonElement component, string name) => component.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.True;
}
