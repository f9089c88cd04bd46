using System.Diagnostics;
using System.Globalization;
using System.Text;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text.Tests.Templates;

/// <summary>Random templates, against Python, and damaged ones.</summary>
public class TemplateFuzzTests
{
    private const string Variables = """
        {"s": "Hello, wörld", "t": " a\tb \n", "e": "", "n": 7, "z": 0, "m": -3, "f": 2.5, "g": -0.1, "h": 1e20, "y": true, "no": false, "none_": null,
         "l": [3, 1, 2], "k": ["b", "A", "c"], "x": [], "d": {"a": 1, "b": [1, {"c": null}], "items": "i"}, "o": {}, "r": [{"id": 1, "v": "x"}, {"id": 2, "v": "y"}, {"id": 1}],
         "u": "naïve 🎈\u00a0'q' \"d\" \\ \u0001", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]}
        """;

    [Theory]
    [InlineData(1, 5000)]
    public void Random_expressions_are_worth_what_they_are_in_Python(int seed, int count)
    {
        var random = new RandomTemplate(seed);
        Compare([.. Enumerable.Range(0, count).Select(_ => ("{{ " + random.Expression(3) + " }}", Variables))]);
    }

    [Theory]
    [InlineData(2, 800)]
    public void Random_templates_render_as_in_Python(int seed, int count)
    {
        var random = new RandomTemplate(seed);
        Compare([.. Enumerable.Range(0, count).Select(_ => (random.Template(3), Variables))]);
    }

    [Theory]
    [InlineData(3, 15_000)]
    public void Damaged_templates_neither_crash_nor_hang(int seed, int count)
    {
        var random = new Random(seed);
        string[] sources = [.. Directory.EnumerateFiles(GoldenFile.Folder(Path.Combine("templates", "own")), "*.jinja").Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        using var variables = System.Text.Json.JsonDocument.Parse(Variables);
        var watch = new Stopwatch();
        for (int i = 0; i < count; i++)
        {
            string text = Damage(sources[random.Next(sources.Length)], sources[random.Next(sources.Length)], random);
            watch.Restart();
            try
            {
                Template.Parse("t", text).Render(variables.RootElement);
            }
            catch (TemplateException exception)
            {
                Assert.InRange(exception.Line, 1, int.MaxValue);
            }

            Assert.True(watch.Elapsed.TotalSeconds < 2, $"This took {watch.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)} s:\n{text}");
        }
    }

    private static void Compare(List<(string Template, string Variables)> cases)
    {
        using TemplateJudge judge = TemplateJudge.StartOrSkip();
        List<Verdict> verdicts = judge.Render(cases);
        var wrong = new StringBuilder();
        int differing = 0, texts = 0;
        for (int i = 0; i < cases.Count; i++)
        {
            // Addresses in memory and limits of time are no values.
            if (verdicts[i] is { Error: "too slow" } || verdicts[i].Text?.Contains(" at 0x", StringComparison.Ordinal) == true)
            {
                continue;
            }

            Verdict ours = Verdict.OfOurs(cases[i].Template, cases[i].Variables);
            texts += ours.Text is null ? 0 : 1;
            if (!ours.Agrees(verdicts[i]))
            {
                differing++;
                _ = differing <= 25 ? wrong.Append(CultureInfo.InvariantCulture, $"\n{cases[i].Template}\n  Python: {verdicts[i]}\n  ours:   {ours}") : wrong;
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{cases.Count} cases, {texts} of them texts, {differing} differing");
        Assert.True(texts > cases.Count / 4, $"only {texts} of {cases.Count} cases give a text");
        Assert.True(differing == 0, $"{differing} of {cases.Count} differ:{wrong}");
    }

    private static string Damage(string text, string other, Random random)
    {
        for (int times = random.Next(1, 4); times > 0; times--)
        {
            int at = random.Next(text.Length), length = Math.Min(random.Next(1, 12), text.Length - at);
            int from = random.Next(other.Length), taken = Math.Min(random.Next(1, 30), other.Length - from);
            text = random.Next(4) switch
            {
                0 => text.Remove(at, length),
                1 => text.Insert(at, other.Substring(from, taken)),
                2 => text[..at] + (char)random.Next(32, 127) + text[(at + 1)..],
                _ => text.Insert(at, text.Substring(at, length)),
            };
            if (text.Length == 0)
            {
                return "x";
            }
        }

        return text;
    }
}
