using System.Text.Json;

namespace PureSharpQLoRA.Text;

/// <summary>Reads data sets: JSON lines, JSON arrays and plain text.</summary>
/// <remarks>
/// A file that begins with <c>[</c> is one JSON array, whatever its name; a <c>.txt</c> file holds documents separated by blank lines;
/// every other file holds one JSON record per line. The kind of each record is found by its fields. Files are read once, front to
/// back, and only ids are kept.
/// </remarks>
public static class DatasetReader
{
    /// <summary>Reads files into one data set.</summary>
    /// <param name="files">The files, in order.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="options">How records become examples.</param>
    /// <exception cref="DatasetException">A file is missing or malformed, a record is of no known kind, or nothing is there to learn.</exception>
    public static Dataset Read(IEnumerable<string> files, Tokenizer tokenizer, DatasetOptions options)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(options);
        if (options.MaxLength < 2)
        {
            throw new ArgumentException($"The longest example is limited to {options.MaxLength} tokens, of which none could be learnt; at least 2 are needed.", nameof(options));
        }

        var builder = new ExampleBuilder(tokenizer, options);
        var collector = new ExampleCollector(options.MaxLength);
        string names = "";
        foreach (string file in files)
        {
            names += names.Length == 0 ? file : ", " + file;
            Read(file, builder, collector);
        }

        return collector.Finish(names.Length == 0 ? "(no file)" : names);
    }

    private static void Read(string file, ExampleBuilder builder, ExampleCollector collector)
    {
        if (!File.Exists(file))
        {
            throw new DatasetException(file, null, null, "no such file");
        }

        string extension = Path.GetExtension(file).ToLowerInvariant();
        if (extension is ".parquet" or ".csv" or ".gz" or ".zst" or ".zip")
        {
            throw new DatasetException(file, null, null, $"{extension} files are not supported; JSON lines (.jsonl), JSON arrays (.json) and plain text (.txt) are");
        }

        if (extension == ".txt")
        {
            foreach (string document in PlainTextFile.Read(file))
            {
                collector.Add(builder.FromText(document));
            }

            return;
        }

        foreach ((JsonElement element, RecordPlace place) in JsonArrayFile.Is(file) ? JsonArrayFile.Read(file) : JsonLinesFile.Read(file))
        {
            collector.Add(RecordKind.Read(new Record(element, place), builder));
        }
    }
}
