using System.Text.Json.Nodes;
using PureSharpQLoRA.Testing;

namespace PureSharpQLoRA.Text.Tests.Templates;

/// <summary>Templates of our own, against what Python made of them.</summary>
public class OwnTemplateTests
{
    private static readonly JsonObject Tokens = new() { ["bos_token"] = "<s>", ["eos_token"] = "</s>" };

    public static TheoryData<string> Names => [.. Files().Select(static file => Path.GetFileNameWithoutExtension(file)!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Templates_render_as_Python_did(string name)
    {
        string template = File.ReadAllText(Path.Combine(Folder, name + ".jinja"));
        Golden.Match(Describe(Cases(template).Select(static item => Verdict.OfOurs(item.Template, item.Variables))), Path.Combine(Folder, name + ".txt"));
    }

    [Fact]
    public void The_golden_files_are_Pythons()
    {
        using TemplateJudge judge = TemplateJudge.StartOrSkip();
        foreach (string file in Files())
        {
            Golden.Match(Describe(judge.Render([.. Cases(File.ReadAllText(file))])), Path.ChangeExtension(file, ".txt"));
        }
    }

    private static string Folder => GoldenFile.Folder(Path.Combine("templates", "own"));

    private static IEnumerable<string> Files() => Directory.EnumerateFiles(Folder, "*.jinja").Order(StringComparer.Ordinal);

    private static IEnumerable<(string Template, string Variables)> Cases(string template) =>
        PublishedTemplateTests.Conversations().Select(conversation => (template, PublishedTemplateTests.Variables(conversation, Tokens)));

    /// <summary>One line per conversation; error texts are each library's own.</summary>
    private static string Describe(IEnumerable<Verdict> verdicts) =>
        string.Concat(verdicts.Select(static verdict => (verdict.Text is null ? "error" : verdict.ToString()) + "\n"));
}
