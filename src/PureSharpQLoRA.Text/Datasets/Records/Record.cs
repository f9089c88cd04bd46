using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>A JSON record and its place, so that every complaint can name it.</summary>
internal readonly record struct Record(JsonElement Element, RecordPlace Place)
{
    public bool Has(string field) => Element.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null;

    /// <summary>The text of a field; JSON escapes of lone surrogates, which are no text, are a complaint.</summary>
    public string Text(string field)
    {
        JsonElement value = Element.GetProperty(field);
        if (value.ValueKind != JsonValueKind.String)
        {
            throw Place.Error($"\"{field}\" must be a string, and is {Kind(value)}");
        }

        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException exception)
        {
            throw Place.Error($"\"{field}\" holds half of a surrogate pair, which is no text", exception);
        }
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
}
