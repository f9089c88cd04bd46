using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace PureSharpQLoRA.Text.Templates;

/// <summary>JSON as values, the way Python's json.loads reads it.</summary>
internal static class JsonValues
{
    /// <exception cref="TemplateFault">A text is no valid one, or a value is too large.</exception>
    public static object Of(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var dict = new DictValue(element.GetPropertyCount());
                foreach (JsonProperty property in element.EnumerateObject())
                {
                    dict.Set(Name(property), Of(property.Value));
                }

                return dict;
            case JsonValueKind.Array:
                object[] items = new object[element.GetArrayLength()];
                int at = 0;
                foreach (JsonElement item in element.EnumerateArray())
                {
                    items[at++] = Of(item);
                }

                return new ListValue(items);
            case JsonValueKind.String:
                return Text(element);
            case JsonValueKind.Number:
                return Number(element);
            case JsonValueKind.True:
                return Boxed.True;
            case JsonValueKind.False:
                return Boxed.False;
            default:
                return None.Value;
        }
    }

    private static object Number(JsonElement element)
    {
        if (element.TryGetInt64(out long integer) && !element.GetRawText().AsSpan().ContainsAny('.', 'e', 'E'))
        {
            return Boxed.Integer(integer);
        }

        string text = element.GetRawText();
        if (text.AsSpan().ContainsAny('.', 'e', 'E'))
        {
            return double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
        }

        return text.Length <= TemplateLimits.IntegerDigits ? Numbers.Box(BigInteger.Parse(text, CultureInfo.InvariantCulture))
            : throw new TemplateFault($"an integer has more than {TemplateLimits.IntegerDigits} digits");
    }

    private static string Name(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw Malformed();
        }
    }

    private static string Text(JsonElement element)
    {
        try
        {
            return element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Malformed();
        }
    }

    private static TemplateFault Malformed() => new("a string is no valid text: half of a surrogate pair, or not UTF-8");
}
