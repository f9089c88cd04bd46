using System.Text.Json;
using System.Text.Unicode;

namespace PureSharpQLoRA.Text;

/// <summary>A value inside a JSON file that knows its place, so that every complaint can name it.</summary>
internal readonly record struct JsonField(JsonElement Element, string File, string Path)
{
    /// <summary>Parses a file.</summary>
    public static JsonField Read(string file)
    {
        ReadOnlyMemory<byte> bytes = System.IO.File.ReadAllBytes(file);
        if (!Utf8.IsValid(bytes.Span))
        {
            throw new TokenizerFormatException(file, "the file is not UTF-8 text");
        }

        ReadOnlySpan<byte> byteOrderMark = [0xEF, 0xBB, 0xBF];
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes.Span.StartsWith(byteOrderMark) ? bytes[byteOrderMark.Length..] : bytes);
            return new JsonField(document.RootElement.Clone(), file, "");
        }
        catch (JsonException exception)
        {
            throw new TokenizerFormatException(file, $"this is not valid JSON ({exception.Message})", exception);
        }
    }

    /// <summary>The field of that name, or null where it is absent or JSON null.</summary>
    public JsonField? Find(string name)
    {
        if (Element.ValueKind != JsonValueKind.Object)
        {
            throw Wrong("an object");
        }

        return Element.TryGetProperty(name, out JsonElement found) && found.ValueKind != JsonValueKind.Null
            ? new JsonField(found, File, Path.Length == 0 ? name : $"{Path}.{name}")
            : null;
    }

    /// <summary>The field of that name, which must be there.</summary>
    public JsonField Get(string name) => Find(name) ?? throw new TokenizerFormatException(File, $"{Where}: the field \"{name}\" is missing");

    public string String()
    {
        if (Element.ValueKind != JsonValueKind.String)
        {
            throw Wrong("a string");
        }

        try
        {
            return Element.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Wrong("text without halves of surrogate pairs");
        }
    }

    public int Int() => Element.ValueKind == JsonValueKind.Number && Element.TryGetInt32(out int value) ? value : throw Wrong("an integer");

    public bool Bool() => Element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Wrong("true or false"),
    };

    public bool BoolOr(string name, bool absent) => Find(name)?.Bool() ?? absent;

    public IEnumerable<JsonField> Items()
    {
        if (Element.ValueKind != JsonValueKind.Array)
        {
            throw Wrong("an array");
        }

        int index = 0;
        foreach (JsonElement item in Element.EnumerateArray())
        {
            yield return new JsonField(item, File, $"{Path}[{index++}]");
        }
    }

    /// <summary>The complaint that this value is not what it should be.</summary>
    public TokenizerFormatException Wrong(string expected) => new(File, $"{Where}: expected {expected}, found {Kind(Element)}");

    /// <summary>The complaint that a pipeline component is of a kind this library does not have.</summary>
    public TokenizerFormatException Unsupported(string stage, string type, string supported) =>
        new(File, $"{Where}: the {stage} \"{type}\" is not supported (supported: {supported})");

    private string Where => Path.Length == 0 ? "(top level)" : Path;

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.Null => "null",
        _ => element.GetRawText() is { Length: <= 40 } text ? text : "a long value",
    };
}
