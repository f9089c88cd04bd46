using System.Globalization;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Cli.Options;

/// <summary>One option of a command, on the command line (--kebab-case) and in YAML (snake_case).</summary>
/// <param name="Name">In kebab-case, without dashes.</param>
/// <param name="Kind">What values look like.</param>
/// <param name="Help">One sentence without its full stop.</param>
internal sealed record OptionDefinition(string Name, OptionKind Kind, string Help)
{
    /// <summary>Under which heading help lists it.</summary>
    public string Group { get; init; } = "Options";

    /// <summary>What holds when it is not given; null: nothing.</summary>
    public string? Default { get; init; }

    /// <summary>Shown in help in place of the default.</summary>
    public string? DefaultText { get; init; }

    /// <summary>The values of a choice.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>Other names.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>May be given more than once.</summary>
    public bool IsRepeatable { get; init; }

    /// <summary>Must be given.</summary>
    public bool IsRequired { get; init; }

    public double Min { get; init; } = double.NegativeInfinity;

    public double Max { get; init; } = double.PositiveInfinity;

    /// <summary>Whether the maximum itself is not allowed.</summary>
    public bool IsBelowMax { get; init; }

    public string YamlName => Name.Replace('-', '_');

    /// <summary>What is allowed, for messages.</summary>
    public string Allowed => Kind switch
    {
        OptionKind.YesNo => "true or false",
        OptionKind.Choice => Choices.Count == 1 ? Choices[0] : string.Join(", ", Choices.Take(Choices.Count - 1)) + " or " + Choices[^1],
        OptionKind.Integer => "a whole number" + Range,
        OptionKind.Number => "a number" + Range,
        OptionKind.Size => "a size such as 16GiB",
        OptionKind.Names => "names separated by commas",
        OptionKind.Path => "a path",
        _ => "a text",
    };

    private string Range => (Min, Max) switch
    {
        (double.NegativeInfinity, double.PositiveInfinity) => "",
        (_, double.PositiveInfinity) => string.Create(CultureInfo.InvariantCulture, $" from {Min} up"),
        _ => string.Create(CultureInfo.InvariantCulture, $" from {Min} to {(IsBelowMax ? "below " : "")}{Max}"),
    };

    /// <summary>The value in its canonical spelling, or null where it is not allowed.</summary>
    public string? Normalize(string value)
    {
        switch (Kind)
        {
            case OptionKind.YesNo:
                return value.ToLowerInvariant() is "true" or "false" ? value.ToLowerInvariant() : null;
            case OptionKind.Choice:
                return Choices.FirstOrDefault(choice => string.Equals(choice, value, StringComparison.OrdinalIgnoreCase));
            case OptionKind.Integer:
                return long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) && IsInRange(whole)
                    ? whole.ToString(CultureInfo.InvariantCulture) : null;
            case OptionKind.Number:
                return double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) && IsInRange(number)
                    ? number.ToString("R", CultureInfo.InvariantCulture).ToLowerInvariant() : null;
            case OptionKind.Size:
                return ByteSize.TryParse(value, out _) ? value.Trim() : null;
            case OptionKind.Names:
                string[] names = value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                return names.Length == 0 ? null : string.Join(",", names);
            default:
                return value.Length == 0 && Kind == OptionKind.Path ? null : value;
        }
    }

    private bool IsInRange(double value) => value >= Min && (IsBelowMax ? value < Max : value <= Max);
}
