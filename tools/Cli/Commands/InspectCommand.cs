using System.Globalization;
using System.Text.Json;
using PureSharpQLoRA.Cli.Inspection;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Generators.Parsing;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>What a model, an adapter, a GGUF file or a checkpoint holds.</summary>
internal sealed class InspectCommand : ICliCommand
{
    private const string PathName = "path";
    private const int ShownCharacters = 100;

    public string Name => "inspect";

    public string Summary => "Shows what a model, an adapter, a GGUF file or a checkpoint holds";

    public string Positional => PathName;

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        new(PathName, OptionKind.Path, "Model folder, adapter folder, checkpoint-N, .gguf or .safetensors file") { IsRequired = true },
    ];

    public int Run(CommandContext context)
    {
        string path = context.Values.Text(PathName);
        InspectedFolder found = Inspector.Look(path);
        if (context.IsJson)
        {
            context.WriteJson(json => Write(json, path, found));
        }

        Write(context.Output, path, found);
        return ExitCodes.Done;
    }

    private static void Write(TextWriter output, string path, InspectedFolder found)
    {
        output.WriteLine($"{path}: {found.Kind}");
        foreach (InspectedFacts facts in found.Facts.Where(facts => facts.Values.Count > 0))
        {
            output.WriteLine();
            output.WriteLine(facts.Name + ":");
            int width = Math.Min(48, facts.Values.Max(fact => fact.Name.Length));
            foreach ((string name, object? value) in facts.Values)
            {
                output.WriteLine($"  {name.PadRight(width)}  {Show(value)}");
            }
        }

        output.WriteLine();
        int names = found.Tensors.Count == 0 ? 0 : found.Tensors.Max(tensor => tensor.Name.Length);
        foreach (InspectedTensor tensor in found.Tensors)
        {
            output.WriteLine($"  {tensor.Name.PadRight(names)}  {tensor.Type,-5} {ByteSize.Show(tensor.Bytes),11}  [{string.Join(", ", tensor.Shape)}]");
        }

        output.WriteLine();
        foreach ((string type, int tensors, long bytes) in found.Types)
        {
            output.WriteLine($"  {type,-5} {ByteSize.Show(bytes),11} in {tensors} tensor{(tensors == 1 ? "" : "s")}");
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{found.Tensors.Count} tensors in {found.Files.Count} file{(found.Files.Count == 1 ? "" : "s")}: {found.Parameters:#,0} numbers, {ByteSize.Show(found.Tensors.Sum(tensor => tensor.Bytes))}."));
    }

    private static string Show(object? value)
    {
        string text = value switch
        {
            null => "-",
            bool flag => flag ? "true" : "false",
            string[] list => list.Length == 0 ? "-" : string.Join(", ", list),
            _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
        };

        // A chat template is a page of text.
        text = text.Replace("\r", "", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return text.Length <= ShownCharacters ? text : text[..ShownCharacters] + $"... ({text.Length} characters)";
    }

    private static void Write(Utf8JsonWriter json, string path, InspectedFolder found)
    {
        json.WriteString("path", path);
        json.WriteString("kind", found.Kind);
        json.WriteStartArray("files");
        foreach (string file in found.Files)
        {
            json.WriteStringValue(file);
        }

        json.WriteEndArray();
        foreach (InspectedFacts facts in found.Facts)
        {
            json.WriteStartObject(facts.Name);
            foreach ((string name, object? value) in facts.Values)
            {
                json.WritePropertyName(name);
                JsonSerializer.Serialize(json, value);
            }

            json.WriteEndObject();
        }

        json.WriteStartArray("tensors");
        foreach (InspectedTensor tensor in found.Tensors)
        {
            json.WriteStartObject();
            json.WriteString("name", tensor.Name);
            json.WriteString("dtype", tensor.Type);
            json.WriteStartArray("shape");
            foreach (long extent in tensor.Shape)
            {
                json.WriteNumberValue(extent);
            }

            json.WriteEndArray();
            json.WriteNumber("bytes", tensor.Bytes);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("total_parameters", found.Parameters);
        json.WriteNumber("total_bytes", found.Tensors.Sum(tensor => tensor.Bytes));
    }
}
