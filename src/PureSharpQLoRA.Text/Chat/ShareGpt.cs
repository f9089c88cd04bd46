using System.Text.Json;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text;

/// <summary>Reads conversations in the way of ShareGPT, where turns have <c>from</c> and <c>value</c>.</summary>
internal static class ShareGpt
{
    private static readonly Dictionary<string, string> Roles = new(StringComparer.OrdinalIgnoreCase)
    {
        ["human"] = "user",
        ["user"] = "user",
        ["gpt"] = "assistant",
        ["assistant"] = "assistant",
        ["chatgpt"] = "assistant",
        ["bard"] = "assistant",
        ["bing"] = "assistant",
        ["model"] = "assistant",
        ["function_call"] = "assistant",
        ["system"] = "system",
        ["tool"] = "tool",
        ["function_response"] = "tool",
        ["observation"] = "tool",
    };

    public static ListValue Messages(JsonElement record, JsonElement turns)
    {
        var messages = new List<object>();
        if (record.TryGetProperty("system", out JsonElement system) && system.ValueKind == JsonValueKind.String && system.GetString() is { Length: > 0 } words)
        {
            messages.Add(Conversation.Message("system", words));
        }

        int number = 0;
        foreach (JsonElement turn in turns.EnumerateArray())
        {
            number++;
            messages.Add(JsonValues.Of(turn) is DictValue dict ? Message(dict, number) : throw new ChatTemplateException($"turn {number} of \"conversations\" is no object"));
        }

        return new ListValue([.. messages]);
    }

    private static DictValue Message(DictValue turn, int number)
    {
        if (turn.TryGet("role", out _))
        {
            return turn;
        }

        if (!turn.TryGet("from", out object from) || from is not string speaker || !turn.TryGet("value", out object value))
        {
            throw new ChatTemplateException($"turn {number} of \"conversations\" needs \"from\" and \"value\"");
        }

        return Conversation.Message(Roles.TryGetValue(speaker, out string? role) ? role
            : throw new ChatTemplateException($"turn {number} of \"conversations\" is from \"{speaker}\"; known are {string.Join(", ", Roles.Keys)}"), value);
    }
}
