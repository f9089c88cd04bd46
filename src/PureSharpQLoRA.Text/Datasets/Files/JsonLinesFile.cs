using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>One JSON record per line; blank lines are passed over.</summary>
internal static class JsonLinesFile
{
    /// <summary>The records, each valid until the next is asked for.</summary>
    public static IEnumerable<(JsonElement Element, RecordPlace Place)> Read(string file)
    {
        foreach ((string line, int number) in TextLines.Read(file))
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            var place = new RecordPlace(file, number, null);
            using JsonDocument document = Parse(line, place);
            yield return (document.RootElement, place);
        }
    }

    private static JsonDocument Parse(string line, RecordPlace place)
    {
        try
        {
            return JsonDocument.Parse(line);
        }
        catch (JsonException exception)
        {
            throw place.Error($"this line is not valid JSON, at byte {exception.BytePositionInLine + 1}; a record is one JSON object on one line", exception);
        }
    }
}
