using System.Diagnostics;
using System.Text.Json;

namespace PureSharpQLoRA.Text.Tests.Templates;

/// <summary>Python's Jinja2 in a process of its own, which answers line by line.</summary>
internal sealed class TemplateJudge : IDisposable
{
    private const string Python = "/usr/bin/python3";

    private static readonly Lazy<string?> Missing = new(FindMissing);

    private readonly Process _process;

    private TemplateJudge(Process process) => _process = process;

    /// <summary>What the judge's clock shows.</summary>
    public static DateTimeOffset Now { get; } = new(2024, 7, 6, 9, 5, 7, TimeSpan.Zero);

    /// <summary>Starts the judge, or skips the test where there is none.</summary>
    public static TemplateJudge StartOrSkip()
    {
        Assert.SkipWhen(Missing.Value is not null, Missing.Value ?? "");
        return new TemplateJudge(Start([GoldenFile.Folder(Path.Combine("templates", "judge.py"))]));
    }

    /// <summary>What Python makes of cases, each a template and its variables.</summary>
    public List<Verdict> Render(IReadOnlyList<(string Template, string Variables)> cases)
    {
        // Both ends of a pipe must move: a writer that never reads would wait for a reader that waits to be read.
        var writing = Task.Run(() =>
        {
            foreach ((string template, string variables) in cases)
            {
                _process.StandardInput.Write("{\"template\": " + JsonSerializer.Serialize(template) + ", \"variables\": " + variables.ReplaceLineEndings(" ") + "}\n");
            }

            _process.StandardInput.Flush();
        });
        var verdicts = new List<Verdict>(cases.Count);
        while (verdicts.Count < cases.Count)
        {
            string line = _process.StandardOutput.ReadLine() ?? throw new InvalidOperationException("The judge ended: " + _process.StandardError.ReadToEnd());
            using JsonDocument answer = JsonDocument.Parse(line);
            verdicts.Add(answer.RootElement.TryGetProperty("text", out JsonElement text) ? new Verdict(Decode(text), null)
                : new Verdict(null, answer.RootElement.GetProperty("error").GetString()));
        }

        writing.Wait();
        return verdicts;
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        if (!_process.WaitForExit(2000))
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    /// <summary>A text as it is, lone surrogates too, which System.Text.Json refuses.</summary>
    private static string Decode(JsonElement text)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException)
        {
            return "(half of a surrogate pair)";
        }
    }

    private static string? FindMissing()
    {
        if (!File.Exists(Python))
        {
            return $"The judge needs {Python}.";
        }

        using Process process = Start(["-c", "import jinja2"]);
        process.StandardInput.Close();
        process.WaitForExit();
        return process.ExitCode == 0 ? null : "The judge needs Python's Jinja2 (Debian's package python3-jinja2).";
    }

    private static Process Start(string[] arguments) => Process.Start(new ProcessStartInfo(Python, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        StandardInputEncoding = new System.Text.UTF8Encoding(false),
        StandardOutputEncoding = new System.Text.UTF8Encoding(false),
        Environment = { ["PYTHONIOENCODING"] = "utf-8" },
    })!;
}

/// <summary>What the judge says: the text, or the error.</summary>
internal sealed record Verdict(string? Text, string? Error)
{
    /// <summary>What this library makes of the same case.</summary>
    public static Verdict OfOurs(string template, string variables)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(variables);
            return new Verdict(PureSharpQLoRA.Text.Templates.Template.Parse("template", template).Render(document.RootElement, static () => TemplateJudge.Now).Text, null);
        }
        catch (PureSharpQLoRA.Text.Templates.TemplateException exception)
        {
            return new Verdict(null, exception.Message);
        }
    }

    /// <summary>Whether both say the same: one text, or no text at all.</summary>
    public bool Agrees(Verdict other) => Text == other.Text && Error is null == other.Error is null;

    public override string ToString() => Error is null ? JsonSerializer.Serialize(Text) : $"error: {Error}";
}
