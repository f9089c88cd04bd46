using System.Text.Json;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text;

/// <summary>Messages, with the tools and documents that go with them: what a chat template renders.</summary>
public sealed class Conversation
{
    private const string Role = "role", Content = "content";

    private static readonly Dictionary<string, object> NoVariables = [];

    private readonly IReadOnlyDictionary<string, object> _variables;

    private Conversation(ListValue messages, IReadOnlyDictionary<string, object> variables) => (Messages, _variables) = (messages, variables);

    /// <summary>How many messages there are.</summary>
    public int Length => Messages.Items.Length;

    internal ListValue Messages { get; }

    internal bool HasTools => _variables.TryGetValue("tools", out object? tools) && tools is not None;

    /// <summary>A conversation of plain messages.</summary>
    /// <param name="messages">The messages, in order.</param>
    public static Conversation Of(IEnumerable<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        return new Conversation(new ListValue([.. messages.Select(static message => Message(message.Role, message.Content))]), NoVariables);
    }

    /// <summary>The conversation of a JSON record.</summary>
    /// <param name="record">
    /// An object with <c>messages</c> and, if it likes, <c>tools</c> and <c>documents</c> (each also as JSON within a string) and <c>chat_template_kwargs</c>,
    /// further variables for the template.
    /// </param>
    /// <exception cref="ChatTemplateException">The record is malformed.</exception>
    public static Conversation FromJson(JsonElement record)
    {
        if (record.ValueKind != JsonValueKind.Object || !record.TryGetProperty("messages", out JsonElement messages))
        {
            throw new ChatTemplateException("a conversation needs \"messages\"");
        }

        return Of(() => JsonValues.Of(RequireArray(messages, "messages")), record);
    }

    /// <summary>The conversation of a record in the way of ShareGPT: <c>conversations</c> of <c>from</c> and <c>value</c>.</summary>
    /// <exception cref="ChatTemplateException">The record is malformed.</exception>
    internal static Conversation FromShareGpt(JsonElement record)
    {
        JsonElement turns = RequireArray(record.GetProperty("conversations"), "conversations");
        return Of(() => ShareGpt.Messages(record, turns), record);
    }

    /// <summary>The same conversation up to a message.</summary>
    internal Conversation Take(int count) => new(new ListValue(Messages.Items[..count]), _variables);

    /// <summary>The same conversation with another content of one message.</summary>
    internal Conversation WithContent(int index, string content)
    {
        var message = new DictValue();
        foreach ((object key, object value) in ((DictValue)Messages.Items[index]).Entries)
        {
            message.Set(key, value);
        }

        message.Set(Content, content);
        object[] messages = [.. Messages.Items];
        messages[index] = message;
        return new Conversation(new ListValue(messages), _variables);
    }

    internal bool IsAssistant(int index) => Messages.Items[index] is DictValue message && message.TryGet(Role, out object role) && role is "assistant";

    /// <summary>The variables that a template sees.</summary>
    internal Dictionary<string, object> Variables(IReadOnlyDictionary<string, string> specialTokens, bool addGenerationPrompt)
    {
        var variables = new Dictionary<string, object> { ["tools"] = None.Value, ["documents"] = None.Value };
        foreach ((string name, string text) in specialTokens)
        {
            variables[name] = text;
        }

        foreach ((string name, object value) in _variables)
        {
            variables[name] = value;
        }

        variables["messages"] = Messages;
        variables["add_generation_prompt"] = Boxed.Truth(addGenerationPrompt);
        return variables;
    }

    internal static DictValue Message(string role, object content)
    {
        var message = new DictValue(2);
        message.Set(Role, role);
        message.Set(Content, content);
        return message;
    }

    private static Conversation Of(Func<object> messages, JsonElement record)
    {
        try
        {
            var values = (ListValue)messages();
            foreach (object message in values.Items)
            {
                if (message is not DictValue dict || !dict.TryGet(Role, out object role) || role is not string)
                {
                    throw new ChatTemplateException("every message must be an object with a string \"role\"");
                }
            }

            return new Conversation(values, ReadVariables(record));
        }
        catch (TemplateFault fault)
        {
            throw new ChatTemplateException($"the conversation cannot be read: {fault.Message}", fault);
        }
    }

    private static JsonElement RequireArray(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Array ? value : throw new ChatTemplateException($"\"{name}\" must be an array of messages");

    private static Dictionary<string, object> ReadVariables(JsonElement record)
    {
        var variables = new Dictionary<string, object>();
        foreach (string name in (string[])["tools", "documents"])
        {
            if (record.TryGetProperty(name, out JsonElement value) && value.ValueKind != JsonValueKind.Null)
            {
                variables[name] = value.ValueKind == JsonValueKind.String ? FromText(value.GetString()!, name) : JsonValues.Of(value);
            }
        }

        if (record.TryGetProperty("chat_template_kwargs", out JsonElement more) && more.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in more.EnumerateObject())
            {
                variables[property.Name] = JsonValues.Of(property.Value);
            }
        }

        return variables;
    }

    /// <summary>JSON within a string, as data sets with columns of one type have it.</summary>
    private static object FromText(string text, string name)
    {
        if (string.IsNullOrWhiteSpace(text))
        {
            return None.Value;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return JsonValues.Of(document.RootElement);
        }
        catch (JsonException exception)
        {
            throw new ChatTemplateException($"\"{name}\" is a string, and not one of JSON", exception);
        }
    }
}
