using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>One JSON array of records, read element by element.</summary>
internal static class JsonArrayFile
{
    /// <summary>Whether the first character that is no white space opens an array.</summary>
    public static bool Is(string file)
    {
        using var reader = new StreamReader(file);
        int next;
        do
        {
            next = reader.Read();
        }
        while (next >= 0 && char.IsWhiteSpace((char)next));

        return next == '[';
    }

    public static IEnumerable<(JsonElement Element, RecordPlace Place)> Read(string file)
    {
        using FileStream stream = File.OpenRead(file);
        using IEnumerator<JsonElement> elements = JsonSerializer.DeserializeAsyncEnumerable<JsonElement>(stream).ToBlockingEnumerable().GetEnumerator();
        for (int number = 1; Next(elements, file); number++)
        {
            yield return (elements.Current, new RecordPlace(file, null, number));
        }
    }

    private static bool Next(IEnumerator<JsonElement> elements, string file)
    {
        try
        {
            return elements.MoveNext();
        }
        catch (JsonException exception)
        {
            throw new DatasetException(file, (int?)exception.LineNumber + 1, null, "this is not a valid JSON array of records", exception);
        }
    }
}
