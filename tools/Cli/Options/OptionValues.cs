using System.Globalization;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Cli.Options;

/// <summary>The values of a command's options: given ones, and defaults for the others.</summary>
internal sealed class OptionValues
{
    private readonly Dictionary<string, OptionDefinition> _definitions;
    private readonly Dictionary<string, string[]> _given = new(StringComparer.Ordinal);

    public OptionValues(IEnumerable<OptionDefinition> definitions) =>
        _definitions = definitions.ToDictionary(definition => definition.Name, StringComparer.Ordinal);

    public IReadOnlyCollection<OptionDefinition> Definitions => _definitions.Values;

    /// <summary>Sets an option's values; what was set before is replaced.</summary>
    /// <param name="definition">The option.</param>
    /// <param name="values">As written.</param>
    /// <param name="source">Where, for messages: "--r" or "run.yaml:3: r".</param>
    /// <exception cref="UsageException">A value is not allowed.</exception>
    public void Set(OptionDefinition definition, IReadOnlyList<string> values, string source)
    {
        if (values.Count > 1 && !definition.IsRepeatable)
        {
            throw new UsageException($"{source} is given {values.Count} times; once is allowed.");
        }

        _given[definition.Name] = [.. values.Select(value => definition.Normalize(value)
            ?? throw new UsageException($"{source}: '{value}' is not allowed; it takes {definition.Allowed}."))];
    }

    public bool IsGiven(string name) => _given.ContainsKey(Definition(name).Name);

    public IReadOnlyList<string> List(string name)
    {
        OptionDefinition definition = Definition(name);
        return _given.TryGetValue(name, out string[]? values) ? values : definition.Default is { } value ? [value] : [];
    }

    public string? Find(string name) => List(name) is [.., var last] ? last : null;

    public string Text(string name) => Find(name) ?? throw new UsageException($"--{name} is missing; it takes {Definition(name).Allowed}.");

    public bool YesNo(string name) => Find(name) == "true";

    public int Integer(string name) => FindInteger(name) ?? throw new UsageException($"--{name} is missing.");

    public int? FindInteger(string name)
    {
        if (Find(name) is not { } text)
        {
            return null;
        }

        return int.TryParse(text, CultureInfo.InvariantCulture, out int value) ? value : throw new UsageException($"--{name}: {text} is too large.");
    }

    public ulong Seed(string name) => ulong.Parse(Text(name), CultureInfo.InvariantCulture);

    public double Number(string name) => double.Parse(Text(name), CultureInfo.InvariantCulture);

    public string[] Names(string name) => Find(name)?.Split(',') ?? [];

    public long? Size(string name) => Find(name) is { } text && ByteSize.TryParse(text, out long bytes) ? bytes : null;

    /// <summary>Throws for the first required option that has no value.</summary>
    public void CheckRequired()
    {
        foreach (OptionDefinition definition in _definitions.Values)
        {
            if (definition.IsRequired && List(definition.Name).Count == 0)
            {
                throw new UsageException($"--{definition.Name} is missing: {definition.Help}.");
            }
        }
    }

    private OptionDefinition Definition(string name) => _definitions[name];
}
