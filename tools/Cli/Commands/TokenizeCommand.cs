using System.Text.Json;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Text to ids.</summary>
internal sealed class TokenizeCommand : ICliCommand
{
    private const string Input = "input";
    private const string Words = "text";
    private const string NoSpecialTokens = "no-special-tokens";

    public string Name => "tokenize";

    public string Summary => "Turns text into the token ids of a model";

    public string Positional => Words;

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder with { Help = "Folder with tokenizer.json, or a GGUF file" },
        new(Words, OptionKind.Text, "The text; without it and without --input, standard input is read"),
        new(Input, OptionKind.Path, "JSON lines with a field 'text', or a .txt file of one text"),
        new(NoSpecialTokens, OptionKind.YesNo, "Leave out the tokens that begin or end a text") { Default = "false" },
    ];

    public int Run(CommandContext context)
    {
        Tokenizer tokenizer = Tokenizer.Load(ModelPath.FilesOf(context, context.Values.Text(CommonOptions.Model)));
        bool special = !context.Values.YesNo(NoSpecialTokens);
        foreach (string text in Texts(context))
        {
            int[] ids = tokenizer.Encode(text, special);
            if (context.IsJson)
            {
                context.WriteJson(json =>
                {
                    json.WriteString("text", text);
                    json.WriteStartArray("ids");
                    foreach (int id in ids)
                    {
                        json.WriteNumberValue(id);
                    }

                    json.WriteEndArray();
                });
                continue;
            }

            context.Output.WriteLine(string.Join(' ', ids));
            if (context.Values.YesNo(CommonOptions.Verbose))
            {
                context.Output.WriteLine(string.Join(' ', ids.Select(id => $"{id}={tokenizer.TokenText(id)}")));
            }
        }

        return ExitCodes.Done;
    }

    private static IEnumerable<string> Texts(CommandContext context)
    {
        if (context.Values.Find(Words) is { } text)
        {
            return [text];
        }

        if (context.Values.Find(Input) is not { } file)
        {
            return [context.Host.Input.ReadToEnd()];
        }

        if (!File.Exists(file))
        {
            throw new CliException($"--input: there is no file {file}.");
        }

        return Path.GetExtension(file) == ".txt" ? [File.ReadAllText(file)] : JsonTexts(file);
    }

    private static IEnumerable<string> JsonTexts(string file)
    {
        int line = 0;
        foreach (string row in File.ReadLines(file))
        {
            line++;
            if (!string.IsNullOrWhiteSpace(row))
            {
                yield return TextOf(row, file, line);
            }
        }
    }

    private static string TextOf(string row, string file, int line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(row);
            return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String
                ? text.GetString()!
                : throw new CliException($"{file}:{line}: there is no field \"text\" with a string.");
        }
        catch (JsonException error)
        {
            throw new CliException($"{file}:{line}: this is not valid JSON: {CommandLineApp.OneLine(error.Message)}", error);
        }
    }
}
