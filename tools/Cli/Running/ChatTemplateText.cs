using System.Text.Json;

namespace PureSharpQLoRA.Cli.Running;

/// <summary>The chat template of a model folder, as text.</summary>
internal static class ChatTemplateText
{
    /// <summary>chat_template.jinja, else chat_template of tokenizer_config.json (of several the one named "default"); null where there is none.</summary>
    public static string? Find(string folder)
    {
        string file = Path.Combine(folder, "chat_template.jinja"), config = Path.Combine(folder, "tokenizer_config.json");
        if (File.Exists(file))
        {
            return File.ReadAllText(file);
        }

        if (!File.Exists(config))
        {
            return null;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(config));
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("chat_template", out JsonElement template) ? TextOf(template) : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            throw new CliException($"{config}: this is not valid JSON: {CommandLineApp.OneLine(error.Message)}", error);
        }
    }

    private static string? TextOf(JsonElement template) => template.ValueKind switch
    {
        JsonValueKind.String => template.GetString(),
        JsonValueKind.Array => template.EnumerateArray()
            .Where(item => item.ValueKind == JsonValueKind.Object && item.TryGetProperty("name", out JsonElement name) && name.ValueEquals("default"))
            .Select(item => item.TryGetProperty("template", out JsonElement text) ? text.GetString() : null)
            .FirstOrDefault(),
        _ => null,
    };
}
