using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>A JSON record and its place, so that every complaint can name it.</summary>
internal readonly record struct Record(JsonElement Element, RecordPlace Place)
{
    public bool Has(string field) =>
        Decoded(static (element, field) => element.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null, field, "a field's name");

    /// <summary>The names of all fields.</summary>
    public string[] Names() => Decoded(static (element, _) => element.EnumerateObject().Select(field => field.Name).ToArray(), "", "a field's name");

    public string Text(string field)
    {
        JsonElement value = Element.GetProperty(field);
        return value.ValueKind == JsonValueKind.String
            ? Decoded(static (element, field) => element.GetProperty(field).GetString()!, field, $"\"{field}\"")
            : throw Place.Error($"\"{field}\" must be a string, and is {Kind(value)}");
    }

    /// <summary>The integers of a field.</summary>
    public int[] Integers(string field)
    {
        JsonElement value = Element.GetProperty(field);
        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Place.Error($"\"{field}\" must be an array of integers, and is {Kind(value)}");
        }

        int[] integers = new int[value.GetArrayLength()];
        int at = 0;
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out integers[at]))
            {
                throw Place.Error($"\"{field}\" must be an array of integers, and its element {at} is {Kind(item)}");
            }

            at++;
        }

        return integers;
    }

    public static string Kind(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => $"the number {value.GetRawText()}",
        JsonValueKind.True or JsonValueKind.False => value.GetRawText(),
        _ => "null",
    };

    /// <summary>Reads what JSON escapes may make invalid.</summary>
    private T Decoded<T>(Func<JsonElement, string, T> read, string field, string what)
    {
        try
        {
            return read(Element, field);
        }
        catch (InvalidOperationException exception)
        {
            throw Place.Error($"{what} is no valid text: half of a surrogate pair, or not UTF-8", exception);
        }
    }
}
