using System.Text;

namespace PureSharpQLoRA.Text;

/// <summary>The lines of a UTF-8 file, with their numbers from 1.</summary>
internal static class TextLines
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static IEnumerable<(string Line, int Number)> Read(string file)
    {
        using var reader = new StreamReader(file, Strict, detectEncodingFromByteOrderMarks: true, bufferSize: 1 << 16);
        for (int number = 1; Next(reader, file, number) is { } line; number++)
        {
            yield return (line, number);
        }
    }

    private static string? Next(StreamReader reader, string file, int number)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException exception)
        {
            throw new DatasetException(file, null, null, $"the file is not UTF-8 text, at or after line {number}", exception);
        }
    }
}
