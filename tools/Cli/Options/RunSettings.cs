using System.Text;

namespace PureSharpQLoRA.Cli.Options;

/// <summary>Writes options as YAML that --config reads again.</summary>
internal static class RunSettings
{
    /// <summary>Every option that has a value, under its YAML name.</summary>
    /// <param name="title">The first line, a comment.</param>
    /// <param name="values">The options.</param>
    /// <param name="resolved">Values that were found out, by option name.</param>
    /// <param name="leftOut">Options that belong to one start of the program only.</param>
    public static string Write(string title, OptionValues values, IReadOnlyDictionary<string, string> resolved, IReadOnlySet<string> leftOut)
    {
        var text = new StringBuilder("# ").Append(title).Append('\n');
        foreach (IGrouping<string, OptionDefinition> group in values.Definitions.Where(option => !leftOut.Contains(option.Name)).GroupBy(option => option.Group))
        {
            text.Append("\n# ").Append(group.Key).Append('\n');
            foreach (OptionDefinition option in group)
            {
                IReadOnlyList<string> given = resolved.TryGetValue(option.Name, out string? value) ? [value] : values.List(option.Name);
                if (option.Kind == OptionKind.Path)
                {
                    given = [.. given.Select(Path.GetFullPath)];
                }

                if (given.Count > 0)
                {
                    text.Append(option.YamlName).Append(": ").Append(Show(option, given)).Append('\n');
                }
            }
        }

        return text.ToString();
    }

    /// <summary>Options with their values, for people.</summary>
    public static IEnumerable<(string Name, string Value)> List(OptionValues values, IReadOnlyDictionary<string, string> resolved) =>
        values.Definitions
            .Select(option => (option.YamlName, Value: resolved.TryGetValue(option.Name, out string? value) ? value : string.Join(", ", values.List(option.Name))))
            .Where(option => option.Value.Length > 0);

    private static string Show(OptionDefinition option, IReadOnlyList<string> values) =>
        option.IsRepeatable ? "[" + string.Join(", ", values.Select(value => Scalar(option, value))) + "]" : Scalar(option, values[^1]);

    /// <summary>Numbers and yes or no as they are; everything else as a JSON string, which is one of YAML too.</summary>
    private static string Scalar(OptionDefinition option, string value) =>
        option.Kind is OptionKind.Integer or OptionKind.Number or OptionKind.YesNo
            ? value
            : System.Text.Json.JsonSerializer.Serialize(value, StringWriting);

    private static readonly System.Text.Json.JsonSerializerOptions StringWriting = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
