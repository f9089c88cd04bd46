using System.Text.Encodings.Web;
using System.Text.Json;
using PureSharpQLoRA.DemoModel.Grammar;

namespace PureSharpQLoRA.DemoModel;

/// <summary>Writes the data files of the demo. The same seed and count give the same bytes everywhere.</summary>
public static class DemoData
{
    /// <summary>The seed that the committed files were written with.</summary>
    public const ulong DefaultSeed = 2024;

    /// <summary>Plain stories for the base model: about 7 MB.</summary>
    public const int DefaultStories = 20_000;

    private const int HeldoutStories = 200;
    private const int StyleExamples = 1_400;
    private const int HeldoutStyleExamples = 100;

    /// <summary>Far more draws than any sensible count needs; beyond it the grammar is taken to have no new story left.</summary>
    private const int DrawsPerStory = 100;

    /// <summary>Writes base.jsonl, base-heldout.jsonl, style-train.jsonl and style-heldout.jsonl to <paramref name="folder"/>.</summary>
    /// <exception cref="InvalidOperationException">The grammar has fewer distinct stories than asked for.</exception>
    public static void Write(string folder, int stories = DefaultStories, ulong seed = DefaultSeed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stories, 1);
        Directory.CreateDirectory(folder);
        List<Story> plain = Distinct(new StoryGrammar(seed).Next, story => story.Text, HeldoutStories + stories);
        WriteLines(Path.Combine(folder, "base-heldout.jsonl"), plain.Take(HeldoutStories), WriteText);
        WriteLines(Path.Combine(folder, "base.jsonl"), plain.Skip(HeldoutStories), WriteText);

        // Another stream, so that the style files do not depend on the number of plain stories; held-out prompts are in no training example.
        List<Story> style = Distinct(new StyleGrammar(~seed).Next, story => story.Opening, HeldoutStyleExamples + StyleExamples);
        WriteLines(Path.Combine(folder, "style-heldout.jsonl"), style.Take(HeldoutStyleExamples), WriteExample);
        WriteLines(Path.Combine(folder, "style-train.jsonl"), style.Skip(HeldoutStyleExamples), WriteExample);
    }

    private static List<Story> Distinct(Func<Story> next, Func<Story, string> key, int count)
    {
        HashSet<string> seen = new(count, StringComparer.Ordinal);
        List<Story> stories = new(count);
        for (long draws = 0; stories.Count < count; draws++)
        {
            if (draws == (long)count * DrawsPerStory)
            {
                throw new InvalidOperationException($"The grammar gave only {stories.Count} distinct stories of the {count} asked for; ask for fewer.");
            }

            Story story = next();
            if (seen.Add(key(story)))
            {
                stories.Add(story);
            }
        }

        return stories;
    }

    private static void WriteText(Utf8JsonWriter json, Story story) => json.WriteString("text", story.Text);

    // The completion begins with the space that parts it from the prompt, so that its first token is the one it has inside a text.
    private static void WriteExample(Utf8JsonWriter json, Story story)
    {
        json.WriteString("prompt", story.Opening);
        json.WriteString("completion", " " + story.Rest);
    }

    private static void WriteLines(string path, IEnumerable<Story> stories, Action<Utf8JsonWriter, Story> write)
    {
        using FileStream file = File.Create(path);

        // Quotes and apostrophes stay readable: these files are never put into HTML.
        using Utf8JsonWriter json = new(file, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        foreach (Story story in stories)
        {
            json.WriteStartObject();
            write(json, story);
            json.WriteEndObject();
            json.Flush();
            json.Reset();
            file.WriteByte((byte)'\n');
        }
    }
}
