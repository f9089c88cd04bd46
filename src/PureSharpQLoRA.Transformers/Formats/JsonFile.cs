using System.Text.Json;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Reads the small JSON files beside weights.</summary>
internal static class JsonFile
{
    private const long MaxBytes = 256 << 20;

    public static JsonDocument Read(string path)
    {
        byte[] bytes = ReadBytes(path);
        try
        {
            return JsonDocument.Parse(bytes);
        }
        catch (JsonException error)
        {
            throw new WeightFormatException(path, $"not valid JSON in line {error.LineNumber + 1}, byte {error.BytePositionInLine + 1}", inner: error);
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
