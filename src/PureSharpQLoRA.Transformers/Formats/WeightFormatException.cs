using System.Globalization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>A weight file, or a folder of them, is not what its format asks for.</summary>
public sealed class WeightFormatException : Exception
{
    /// <summary>Describes a problem in one line.</summary>
    /// <param name="file">The file or folder.</param>
    /// <param name="problem">What is wrong and, where one knows, what to do.</param>
    /// <param name="tensor">The tensor it concerns.</param>
    /// <param name="offset">The position in the file, in bytes.</param>
    /// <param name="inner">What was caught.</param>
    public WeightFormatException(string file, string problem, string? tensor = null, long? offset = null, Exception? inner = null)
        : base(Describe(file, problem, tensor, offset), inner)
    {
        (File, Tensor, Offset) = (file, tensor, offset);
    }

    /// <summary>The file or folder.</summary>
    public string File { get; }

    /// <summary>The tensor it concerns, or null.</summary>
    public string? Tensor { get; }

    /// <summary>The position in the file in bytes, or null.</summary>
    public long? Offset { get; }

    private static string Describe(string file, string problem, string? tensor, long? offset)
    {
        string subject = tensor is null ? "" : $" tensor '{Shorten(tensor)}':";
        string place = offset is null ? "" : string.Create(CultureInfo.InvariantCulture, $" (at byte {offset})");
        return $"{file}:{OneLine(subject)} {OneLine(problem)}{place}";
    }

    /// <summary>Names from a damaged file may hold line breaks and other control characters.</summary>
    private static string OneLine(string text) => text.Any(char.IsControl) ? string.Concat(text.Select(letter => char.IsControl(letter) ? '\uFFFD' : letter)) : text;

    /// <summary>A damaged file may name a tensor with megabytes.</summary>
    private static string Shorten(string name) => name.Length <= 200 ? name : name[..200] + "...";
}
