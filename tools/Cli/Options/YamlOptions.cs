using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace PureSharpQLoRA.Cli.Options;

/// <summary>Reads options from a YAML file.</summary>
internal static class YamlOptions
{
    /// <summary>Sets what the file says.</summary>
    /// <exception cref="UsageException">The file is missing, not of that form, or has a key that the command doesn't have.</exception>
    public static void Read(string file, OptionValues values)
    {
        if (!File.Exists(file))
        {
            throw new UsageException($"--config: there is no file {file}.");
        }

        foreach ((YamlNode key, YamlNode value) in Mapping(file))
        {
            string place = $"{file}:{key.Start.Line}";
            if (key is not YamlScalarNode { Value: { } name })
            {
                throw new UsageException($"{place}: a key must be a name such as learning_rate.");
            }

            OptionDefinition definition = Find(name, values.Definitions)
                ?? throw new UsageException($"{place}: unknown key '{name}'.{Suggestion.For(name, Names(values.Definitions))}");
            if (ValuesOf(value, definition, $"{place}: {name}") is { Count: > 0 } given)
            {
                values.Set(definition, given, $"{place}: {name}");
            }
        }
    }

    private static IEnumerable<KeyValuePair<YamlNode, YamlNode>> Mapping(string file)
    {
        var stream = new YamlStream();
        try
        {
            using var reader = new StreamReader(file);
            stream.Load(reader);
        }
        catch (YamlException error)
        {
            throw new UsageException($"{file}:{error.Start.Line}: this is not valid YAML: {Cli.CommandLineApp.OneLine(error.InnerException?.Message ?? error.Message)}");
        }

        if (stream.Documents.Count == 0)
        {
            return [];
        }

        return stream.Documents[0].RootNode as YamlMappingNode
            ?? throw new UsageException($"{file}: options are written as 'name: value', one per line.");
    }

    private static OptionDefinition? Find(string name, IEnumerable<OptionDefinition> definitions) =>
        definitions.FirstOrDefault(definition => definition.YamlName == name || definition.Aliases.Any(alias => alias.Replace('-', '_') == name));

    private static IEnumerable<string> Names(IEnumerable<OptionDefinition> definitions) => definitions.Select(definition => definition.YamlName);

    /// <summary>The values of a scalar or a list; none for null.</summary>
    private static List<string> ValuesOf(YamlNode node, OptionDefinition definition, string source)
    {
        switch (node)
        {
            case YamlScalarNode scalar:
                return IsNull(scalar) ? [] : [scalar.Value ?? ""];
            case YamlSequenceNode sequence when definition.IsRepeatable || definition.Kind == OptionKind.Names:
                List<string> items = [.. sequence.Select(item => item is YamlScalarNode { Value: { } value }
                    ? value : throw new UsageException($"{source}: a list of plain values is expected."))];
                return definition.Kind == OptionKind.Names && items.Count > 0 ? [string.Join(",", items)] : items;
            default:
                throw new UsageException($"{source} takes {definition.Allowed}.");
        }
    }

    private static bool IsNull(YamlScalarNode scalar) => scalar.Style == ScalarStyle.Plain && scalar.Value is null or "" or "~" or "null" or "Null" or "NULL";
}
