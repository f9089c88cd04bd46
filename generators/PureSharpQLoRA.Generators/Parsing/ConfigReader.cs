using System.Globalization;
using Microsoft.CodeAnalysis;
using PureSharpQLoRA.Generators.Diagnostics;

namespace PureSharpQLoRA.Generators.Parsing;

/// <summary>Typed access to the fields of a config object. Every failure is reported at its place; a stand-in value is then returned.</summary>
internal sealed class ConfigReader
{
    private readonly JsonNode _node;
    private readonly string _prefix;
    private readonly DiagnosticBag _bag;
    private readonly HashSet<string> _read = new(StringComparer.Ordinal);

    public ConfigReader(JsonNode node, DiagnosticBag bag, string prefix = "")
    {
        _node = node;
        _bag = bag;
        _prefix = prefix;
    }

    /// <summary>Whether anything was wrong so far, here or in a nested object.</summary>
    public bool HasErrors => _bag.HasErrors;

    public JsonNode Node => _node;

    /// <summary>Whether a family asked for this field.</summary>
    public bool WasRead(string name) => _read.Contains(name);

    /// <summary>Whether the field is there and not null.</summary>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>Whether the field is there, be it null.</summary>
    public bool Mentions(string name) => _node.Members.ContainsKey(name);

    public int RequiredInteger(string name, int min, int max)
    {
        if (Find(name) is { } node)
        {
            return ToInteger(name, node, min, max);
        }

        Missing(name, $"it must be a whole number from {min} to {max}");
        return min;
    }

    public int Integer(string name, int min, int max, int fallback) => Find(name) is { } node ? ToInteger(name, node, min, max) : fallback;

    /// <summary>A number above <paramref name="above"/>.</summary>
    public double RequiredNumber(string name, double above)
    {
        if (Find(name) is { } node)
        {
            return ToNumber(name, node, above, orEqual: false);
        }

        Missing(name, $"it must be a number above {above.ToString(CultureInfo.InvariantCulture)}");
        return above + 1;
    }

    public double Number(string name, double above, double fallback) => Find(name) is { } node ? ToNumber(name, node, above, orEqual: false) : fallback;

    /// <summary>A required factor of at least 1.</summary>
    public double Stretch(string name)
    {
        if (Find(name) is { } node)
        {
            return ToNumber(name, node, 1, orEqual: true);
        }

        Missing(name, "it must be a number of at least 1");
        return 1;
    }

    public bool Boolean(string name, bool fallback)
    {
        if (Find(name) is not { } node)
        {
            return fallback;
        }

        if (node.Kind == JsonKind.Boolean)
        {
            return node.Text == "true";
        }

        WrongType(name, node, "true or false");
        return fallback;
    }

    public string? String(string name)
    {
        if (Find(name) is not { } node)
        {
            return null;
        }

        if (node.Kind == JsonKind.String)
        {
            return node.Text;
        }

        WrongType(name, node, "a string");
        return null;
    }

    /// <summary>A nested object, or null where it is absent or null.</summary>
    public ConfigReader? Object(string name)
    {
        if (Find(name) is not { } node)
        {
            return null;
        }

        if (node.Kind == JsonKind.Object)
        {
            return new ConfigReader(node, _bag, _prefix + name + ".");
        }

        WrongType(name, node, "an object");
        return null;
    }

    /// <summary>The field's value where it is there and not null; marks it as read.</summary>
    public JsonNode? Find(string name)
    {
        _read.Add(name);
        return Peek(name);
    }

    /// <summary>The field's value where it is there and not null, without marking it as read.</summary>
    public JsonNode? Peek(string name) => _node.Members.TryGetValue(name, out JsonNode? node) && node.Kind != JsonKind.Null ? node : null;

    public void Missing(string name, string wanted) => Report(Descriptors.MissingField, _node, Full(name), wanted);

    public void WrongType(string name, JsonNode node, string wanted) => Report(Descriptors.WrongType, node, Full(name), wanted, node.Shown);

    public void Unsupported(string name, JsonNode node, string supported) => Report(Descriptors.UnsupportedValue, node, Full(name), node.Shown, supported);

    public void OutOfRange(string name, JsonNode node, string wanted) => Report(Descriptors.OutOfRange, node, Full(name), node.Shown, wanted);

    /// <summary>Reports at the field, or at the object's start where the field is absent.</summary>
    public void Contradiction(string name, string message) => Report(Descriptors.Contradiction, Peek(name) ?? _node, message);

    public void Report(DiagnosticDescriptor descriptor, JsonNode node, params string[] arguments) => _bag.Add(descriptor, node.Span, arguments);

    private string Full(string name) => _prefix + name;

    private int ToInteger(string name, JsonNode node, int min, int max)
    {
        string wanted = $"a whole number from {min} to {max}";
        if (node.Kind != JsonKind.Number || node.Text.IndexOfAny(['.', 'e', 'E', 'N', 'I']) >= 0)
        {
            WrongType(name, node, wanted);
        }
        else if (int.TryParse(node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= min && value <= max)
        {
            return value;
        }
        else
        {
            OutOfRange(name, node, wanted);
        }

        return min;
    }

    private double ToNumber(string name, JsonNode node, double limit, bool orEqual)
    {
        string shown = limit.ToString(CultureInfo.InvariantCulture);
        if (node.Kind != JsonKind.Number)
        {
            WrongType(name, node, "a number");
        }
        else if (double.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            && (value > limit || (orEqual && value == limit)) && value <= float.MaxValue)
        {
            return value;
        }
        else
        {
            OutOfRange(name, node, orEqual ? $"at least {shown}" : $"above {shown}");
        }

        return limit + 1;
    }
}
