using System.Text.Json;
using PureSharpQLoRA.Cli.Options;
using PureSharpQLoRA.Cli.Running;
using PureSharpQLoRA.Text;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Cli.Commands;

/// <summary>Conversations to the text and ids that a model sees.</summary>
internal sealed class RenderCommand : ICliCommand
{
    private const string Input = "input";
    private const string GenerationPrompt = "add-generation-prompt";
    private const string Learnt = "\u001b[32m", Plain = "\u001b[0m";
    private const string LearntStart = "«", LearntEnd = "»";

    public string Name => "render";

    public string Summary => "Puts conversations through a model's chat template and marks what is learnt";

    public IReadOnlyList<OptionDefinition> Options { get; } =
    [
        CommonOptions.ModelFolder with { Help = "Folder with tokenizer.json and a chat template" },
        new(Input, OptionKind.Path, "JSON lines with 'messages', and 'tools' and 'add_generation_prompt' if wanted; without it, standard input is read"),
        new(GenerationPrompt, OptionKind.YesNo, "End with what makes the model answer, also where a line doesn't ask for it") { Default = "false" },
    ];

    public int Run(CommandContext context)
    {
        string folder = ModelPath.FilesOf(context, context.Values.Text(CommonOptions.Model));
        Tokenizer tokenizer = Tokenizer.Load(folder);
        ChatTemplate template = ChatTemplate.Find(folder)
            ?? throw new CliException($"{folder} has no chat template: neither chat_template.jinja nor a field \"chat_template\" in tokenizer_config.json. Copy the one of the model's chat version.");
        string file = context.Values.Find(Input) ?? "standard input";
        int line = 0;
        foreach (string row in Rows(context))
        {
            line++;
            if (!string.IsNullOrWhiteSpace(row))
            {
                Write(context, Encode(context, template, tokenizer, row, $"{file}:{line}"));
            }
        }

        return ExitCodes.Done;
    }

    private static IEnumerable<string> Rows(CommandContext context)
    {
        if (context.Values.Find(Input) is not { } file)
        {
            return context.Host.Input.ReadToEnd().Split('\n');
        }

        return File.Exists(file) ? File.ReadLines(file) : throw new CliException($"--input: there is no file {file}.");
    }

    private static ChatTokens Encode(CommandContext context, ChatTemplate template, Tokenizer tokenizer, string row, string place)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(row);
            JsonElement record = document.RootElement;
            bool prompt = context.Values.YesNo(GenerationPrompt)
                || (record.ValueKind == JsonValueKind.Object && record.TryGetProperty("add_generation_prompt", out JsonElement asked) && asked.ValueKind == JsonValueKind.True);
            return template.Encode(Conversation.FromJson(record), tokenizer, prompt);
        }
        catch (JsonException error)
        {
            throw new CliException($"{place}: this is not valid JSON: {CommandLineApp.OneLine(error.Message)}", error);
        }
        catch (ChatTemplateException error)
        {
            throw new CliException($"{place}: {error.Message}", error);
        }
        catch (TemplateException error)
        {
            throw new CliException($"{place}: {error.Message}", error);
        }
    }

    private static void Write(CommandContext context, ChatTokens tokens)
    {
        if (context.IsJson)
        {
            context.WriteJson(json =>
            {
                json.WriteString("text", tokens.Text);
                json.WriteStartArray("ids");
                foreach (int id in tokens.Ids)
                {
                    json.WriteNumberValue(id);
                }

                json.WriteEndArray();
                json.WriteStartArray("assistant_mask");
                foreach (bool learnt in tokens.AssistantMask)
                {
                    json.WriteNumberValue(learnt ? 1 : 0);
                }

                json.WriteEndArray();
            });
            return;
        }

        (string start, string end) = context.Host.IsTerminal ? (Learnt, Plain) : (LearntStart, LearntEnd);
        int at = 0;
        foreach (TextSpan span in tokens.Learnt)
        {
            context.Output.Write(tokens.Text[at..span.Start] + start + tokens.Text[span.Start..span.End] + end);
            at = span.End;
        }

        context.Output.WriteLine(tokens.Text[at..]);
    }
}
