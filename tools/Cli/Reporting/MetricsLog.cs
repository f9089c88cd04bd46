using System.Text.Json;

namespace PureSharpQLoRA.Cli.Reporting;

/// <summary>What metrics.jsonl says.</summary>
/// <param name="Lines">Its objects, field by field; a value that is no finite number is left out.</param>
internal sealed record MetricsLog(IReadOnlyList<IReadOnlyDictionary<string, double>> Lines)
{
    public double LastEpoch => Lines.Count > 0 && Lines[^1].TryGetValue("epoch", out double epoch) ? epoch : 0;

    public static MetricsLog Read(string file)
    {
        var lines = new List<IReadOnlyDictionary<string, double>>();
        if (!File.Exists(file))
        {
            return new MetricsLog(lines);
        }

        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
        {
            using JsonDocument json = JsonDocument.Parse(line);
            lines.Add(json.RootElement.EnumerateObject().Where(field => field.Value.ValueKind == JsonValueKind.Number)
                .ToDictionary(field => field.Name, field => field.Value.GetDouble(), StringComparer.Ordinal));
        }

        return new MetricsLog(lines);
    }

    /// <summary>Points of a field over the steps.</summary>
    public IReadOnlyList<(double Step, double Value)> Curve(string field) =>
        [.. Lines.Where(line => line.ContainsKey(field) && line.ContainsKey("step")).Select(line => (line["step"], line[field]))];

    /// <summary>Writes the fields of the last logged step, and those of the last evaluation.</summary>
    public void WriteLast(Utf8JsonWriter json)
    {
        IReadOnlyDictionary<string, double>? step = Lines.LastOrDefault(line => line.ContainsKey("loss"));
        IReadOnlyDictionary<string, double>? evaluation = Lines.LastOrDefault(line => line.ContainsKey("eval_loss"));
        foreach ((string name, double value) in (step ?? new Dictionary<string, double>()).Concat((evaluation ?? new Dictionary<string, double>()).Where(field => field.Key.StartsWith("eval_", StringComparison.Ordinal))))
        {
            json.WriteNumber(name, value);
        }
    }
}
