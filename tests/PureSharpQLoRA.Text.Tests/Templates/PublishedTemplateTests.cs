using System.Text.Json;
using System.Text.Json.Nodes;

namespace PureSharpQLoRA.Text.Tests.Templates;

/// <summary>Templates of published models, judged where a folder of them is given; the repository holds none.</summary>
public class PublishedTemplateTests
{
    /// <summary>The variable that names the folder: *.jinja files, and tokenizer_config.json files in folders below it.</summary>
    private const string Variable = "PURESHARP_TEMPLATES";

    [Fact]
    public void Published_templates_render_as_in_Python()
    {
        string? folder = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(string.IsNullOrEmpty(folder), $"{Variable} names no folder of templates.");
        using TemplateJudge judge = TemplateJudge.StartOrSkip();
        List<(string Name, string Text, JsonObject Tokens)> templates = [.. Find(folder!)];
        Assert.NotEmpty(templates);
        var cases = new List<(string Template, string Variables)>();
        var names = new List<string>();
        foreach ((string name, string text, JsonObject tokens) in templates)
        {
            foreach (JsonObject conversation in Conversations())
            {
                names.Add($"{name}, {conversation["name"]}");
                cases.Add((text, Variables(conversation, tokens)));
            }
        }

        List<Verdict> verdicts = judge.Render(cases);
        var wrong = new List<string>();
        var wrongTemplates = new HashSet<string>();
        int texts = 0;
        for (int i = 0; i < cases.Count; i++)
        {
            Verdict ours = Verdict.OfOurs(cases[i].Template, cases[i].Variables);
            texts += verdicts[i].Text is null ? 0 : 1;
            if (!ours.Agrees(verdicts[i]))
            {
                wrong.Add($"{names[i]}\n  Python: {verdicts[i]}\n  ours:   {ours}");
                wrongTemplates.Add(cases[i].Template);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{templates.Count - wrongTemplates.Count} of {templates.Count} templates equal; {cases.Count - wrong.Count} of {cases.Count} cases, {texts} of them texts");
        Assert.True(wrong.Count == 0, $"{wrongTemplates.Count} of {templates.Count} templates, {wrong.Count} of {cases.Count} cases differ:\n{string.Join('\n', wrong.Take(20))}");
    }

    /// <summary>The conversations that every template is judged over.</summary>
    internal static IEnumerable<JsonObject> Conversations() =>
        File.ReadLines(GoldenFile.Folder(Path.Combine("templates", "conversations.jsonl"))).Select(line => JsonNode.Parse(line)!.AsObject());

    /// <summary>The variables of a conversation as transformers passes them.</summary>
    internal static string Variables(JsonObject conversation, JsonObject tokens)
    {
        var variables = new JsonObject { ["tools"] = null, ["documents"] = null, ["add_generation_prompt"] = false };
        foreach ((string name, JsonNode? value) in tokens.Concat(conversation.Where(static field => field.Key != "name")))
        {
            variables[name] = value?.DeepClone();
        }

        return variables.ToJsonString();
    }

    private static IEnumerable<(string Name, string Text, JsonObject Tokens)> Find(string folder)
    {
        var usual = new JsonObject { ["bos_token"] = "<s>", ["eos_token"] = "</s>", ["unk_token"] = "<unk>" };
        foreach (string file in Directory.EnumerateFiles(folder, "*.jinja", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            yield return (Path.GetRelativePath(folder, file), File.ReadAllText(file), usual);
        }

        foreach (string file in Directory.EnumerateFiles(folder, "tokenizer_config.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            JsonObject config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
            var tokens = new JsonObject();
            foreach (string name in (string[])["bos_token", "eos_token", "unk_token", "pad_token"])
            {
                if ((config[name] is JsonObject token ? token["content"] : config[name]) is { } text && text.GetValueKind() == JsonValueKind.String)
                {
                    tokens[name] = text.GetValue<string>();
                }
            }

            string relative = Path.GetRelativePath(folder, file);
            foreach ((string name, string text) in Named(config["chat_template"]))
            {
                yield return ($"{relative} {name}", text, tokens);
            }
        }
    }

    private static IEnumerable<(string Name, string Text)> Named(JsonNode? templates) => templates switch
    {
        JsonValue text => [("", text.GetValue<string>())],
        JsonArray list => list.Select(static entry => (entry!["name"]!.GetValue<string>(), entry["template"]!.GetValue<string>())),
        _ => [],
    };
}
