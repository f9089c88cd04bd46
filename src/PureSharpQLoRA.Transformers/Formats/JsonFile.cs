using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Reads the small JSON files beside weights.</summary>
internal static class JsonFile
{
    private const long MaxBytes = 256 << 20;

    /// <summary>Parses a file and takes from it what is wanted.</summary>
    public static T Read<T>(string path, Func<JsonElement, T> take)
    {
        byte[] bytes = ReadBytes(path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            return take(document.RootElement);
        }
        catch (JsonException error)
        {
            throw new WeightFormatException(path, $"not valid JSON in line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}", inner: error);
        }
        catch (InvalidOperationException error)
        {
            // Half a surrogate pair, or bytes that aren't UTF-8, come to light only when a string is taken.
            throw new WeightFormatException(path, $"not valid JSON: {error.Message}", inner: error);
        }
    }

    public static byte[] ReadBytes(string path)
    {
        if (!File.Exists(path))
        {
            throw new WeightFormatException(path, "the file does not exist");
        }

        long length = new FileInfo(path).Length;
        return length <= MaxBytes ? File.ReadAllBytes(path) : throw new WeightFormatException(path, $"{length} bytes are too many for such a file");
    }
}
