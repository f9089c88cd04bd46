using System.Text.Json;
using PureSharpQLoRA.Text;

namespace PureSharpQLoRA.DemoModel;

/// <summary>Trains the tokenizer of the demo's model on the data that <see cref="DemoData"/> wrote.</summary>
public static class DemoTokenizer
{
    /// <summary>Tokens in all, as in config.json.</summary>
    public const int VocabularySize = 1024;

    /// <summary>
    /// Plain stories that are read: few enough that the style, which has 1,400 examples, gets words of its own
    /// instead of being spelled in bytes.
    /// </summary>
    public const int PlainStories = 4_000;

    /// <summary>Reads base.jsonl and style-train.jsonl in <paramref name="data"/> and writes the tokenizer's files to <paramref name="folder"/>.</summary>
    /// <exception cref="InvalidDataException">A line is not what <see cref="DemoData"/> writes, or there is too little text for the vocabulary.</exception>
    public static void Write(string data, string folder)
    {
        IEnumerable<string> texts = Lines(Path.Combine(data, "base.jsonl"), "text").Take(PlainStories)
            .Concat(Lines(Path.Combine(data, "style-train.jsonl"), "prompt", "completion"));
        TrainedVocabulary vocabulary = BytePairTrainer.Train(texts, new BytePairTrainerOptions { VocabularySize = VocabularySize });
        if (vocabulary.Tokens.Count != VocabularySize)
        {
            throw new InvalidDataException($"{data} has text for {vocabulary.Tokens.Count} of {VocabularySize} tokens; write more stories.");
        }

        vocabulary.Save(folder);
    }

    private static IEnumerable<string> Lines(string path, params string[] fields)
    {
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            yield return Join(line, fields) ?? throw new InvalidDataException($"{path}:{number} has no {string.Join(" and ", fields)}; write it anew with the data command.");
        }
    }

    private static string? Join(string line, string[] fields)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object && fields.All(field => json.RootElement.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String)
                ? string.Concat(fields.Select(field => json.RootElement.GetProperty(field).GetString()))
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
