using System.Text.Json;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text;

/// <summary>A model's chat template: turns conversations into the text, and the ids, that the model was trained on.</summary>
/// <remarks>
/// Thread-safe. As in transformers, the file chat_template.jinja wins over the field "chat_template" of tokenizer_config.json, a template named
/// "tool_use" is taken for conversations with tools, and no special tokens are put around the text, as the template has written them.
/// </remarks>
public sealed class ChatTemplate
{
    private const string FileName = "chat_template.jinja", MoreFolder = "additional_chat_templates", ConfigName = "tokenizer_config.json";
    private const string DefaultName = "default", ToolName = "tool_use";

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Dictionary<string, Template> _templates;
    private readonly Dictionary<string, string> _specialTokens;

    private ChatTemplate(Dictionary<string, Template> templates, Dictionary<string, string> specialTokens) => (_templates, _specialTokens) = (templates, specialTokens);

    /// <summary>What <c>strftime_now</c> takes for now; the local time if null.</summary>
    public Func<DateTimeOffset>? Clock { get; init; }

    /// <summary>The chat template of a model folder, or null where it has none.</summary>
    /// <param name="modelDirectory">The folder.</param>
    /// <exception cref="TemplateException">The template is malformed.</exception>
    /// <exception cref="TokenizerFormatException">tokenizer_config.json is malformed.</exception>
    public static ChatTemplate? Find(string modelDirectory)
    {
        ArgumentNullException.ThrowIfNull(modelDirectory);
        var templates = new Dictionary<string, Template>();
        string config = Path.Combine(modelDirectory, ConfigName);
        JsonField? json = File.Exists(config) ? JsonField.Read(config) : null;
        foreach ((string name, string text) in InConfig(json))
        {
            templates[name] = Template.Parse($"{config} (chat_template{(name == DefaultName ? "" : " " + name)})", text);
        }

        string file = Path.Combine(modelDirectory, FileName), more = Path.Combine(modelDirectory, MoreFolder);
        if (File.Exists(file))
        {
            templates.Clear();
            templates[DefaultName] = Template.Parse(file, File.ReadAllText(file));
            foreach (string named in Directory.Exists(more) ? Directory.EnumerateFiles(more, "*.jinja") : [])
            {
                templates[Path.GetFileNameWithoutExtension(named)] = Template.Parse(named, File.ReadAllText(named));
            }
        }

        return templates.Count == 0 ? null : new ChatTemplate(templates, SpecialTokens(modelDirectory, json));
    }

    /// <summary>A template on its own.</summary>
    /// <param name="name">Its name, for complaints.</param>
    /// <param name="text">Its text.</param>
    /// <param name="specialTokens">The variables that hold special tokens, such as <c>bos_token</c>.</param>
    /// <exception cref="TemplateException">The template is malformed.</exception>
    public static ChatTemplate Parse(string name, string text, IReadOnlyDictionary<string, string>? specialTokens = null) =>
        new(new Dictionary<string, Template> { [DefaultName] = Template.Parse(name, text) }, new Dictionary<string, string>(specialTokens ?? new Dictionary<string, string>()));

    /// <summary>The text of a conversation.</summary>
    /// <param name="conversation">The conversation.</param>
    /// <param name="addGenerationPrompt">Whether to end with what makes the model answer.</param>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public string Render(Conversation conversation, bool addGenerationPrompt = false) => RenderMarked(conversation, addGenerationPrompt).Text;

    /// <summary>The text and the ids of a conversation, with what the assistant says marked.</summary>
    /// <param name="conversation">The conversation.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="addGenerationPrompt">Whether to end with what makes the model answer.</param>
    /// <remarks>
    /// A token is the assistant's where any of its characters is: those within the template's <c>{% generation %}</c> blocks, or, where it has none, those that
    /// rendering the conversation up to each answer does not give, up to the token that ends the answer.
    /// </remarks>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    /// <exception cref="ChatTemplateException">The template hides which part of its text an answer is.</exception>
    public ChatTokens Encode(Conversation conversation, Tokenizer tokenizer, bool addGenerationPrompt = false)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        ArgumentNullException.ThrowIfNull(tokenizer);
        RenderedText rendered = RenderMarked(conversation, addGenerationPrompt);
        IReadOnlyList<TextSpan> answers = Select(conversation).MarksGenerated ? rendered.Generated : new AnswerFinder(this, conversation, rendered.Text, addGenerationPrompt).Find();
        if (rendered.HidesGenerated)
        {
            throw new ChatTemplateException("the chat template has {% generation %} within a macro, set block or filter block, from where its place in the text is not known: move it out");
        }

        var ids = new List<int>();
        var spans = new List<TextSpan>();
        tokenizer.Encode(rendered.Text, ids, spans);
        bool[] mask = new bool[ids.Count];
        int first = 0;
        foreach (TextSpan answer in answers)
        {
            first = Mark(rendered.Text, answer, ids, spans, mask, tokenizer, first);
        }

        return new ChatTokens(rendered.Text, [.. ids], mask, spans);
    }

    /// <summary>The ids of a conversation.</summary>
    /// <param name="conversation">The conversation.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="addGenerationPrompt">Whether to end with what makes the model answer.</param>
    /// <exception cref="TemplateException">The template refuses the conversation.</exception>
    public int[] EncodeIds(Conversation conversation, Tokenizer tokenizer, bool addGenerationPrompt = false)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return tokenizer.Encode(Render(conversation, addGenerationPrompt), addSpecialTokens: false);
    }

    private RenderedText RenderMarked(Conversation conversation, bool addGenerationPrompt)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        return Select(conversation).Render(conversation.Variables(_specialTokens, addGenerationPrompt), Clock);
    }

    private Template Select(Conversation conversation) =>
        conversation.HasTools && _templates.TryGetValue(ToolName, out Template? forTools) ? forTools
            : _templates.TryGetValue(DefaultName, out Template? template) ? template
            : _templates.Count == 1 ? _templates.Values.First()
            : throw new ChatTemplateException($"the model has several chat templates ({string.Join(", ", _templates.Keys)}) and none is named \"{DefaultName}\"");

    /// <summary>Marks the tokens of an answer.</summary>
    /// <returns>The first token behind them.</returns>
    private static int Mark(string text, TextSpan answer, List<int> ids, List<TextSpan> spans, bool[] mask, Tokenizer tokenizer, int first)
    {
        while (first < spans.Count && spans[first].End <= answer.Start)
        {
            first++;
        }

        int end = first, lastSpecial = -1;
        for (; end < spans.Count && spans[end].Start < answer.End; end++)
        {
            mask[end] = spans[end].Length > 0;
            lastSpecial = tokenizer.IsSpecial(ids[end]) ? end : lastSpecial;
        }

        // A model stops at the token that ends its answer, and never writes the line break that templates put behind it.
        if (lastSpecial >= 0 && spans[lastSpecial].End < answer.End && string.IsNullOrWhiteSpace(text[spans[lastSpecial].End..answer.End]))
        {
            mask.AsSpan((lastSpecial + 1)..end).Clear();
        }

        return end;
    }

    private static IEnumerable<(string Name, string Text)> InConfig(JsonField? config)
    {
        if (config?.Find("chat_template") is not { } field)
        {
            yield break;
        }

        if (field.Element.ValueKind != JsonValueKind.Array)
        {
            yield return (DefaultName, field.String());
            yield break;
        }

        foreach (JsonField entry in field.Items())
        {
            yield return (entry.Get("name").String(), entry.Get("template").String());
        }
    }

    private static Dictionary<string, string> SpecialTokens(string directory, JsonField? config)
    {
        string map = Path.Combine(directory, "special_tokens_map.json");
        var tokens = new Dictionary<string, string>();
        foreach (JsonField? file in (JsonField?[])[File.Exists(map) ? JsonField.Read(map) : null, config])
        {
            foreach (string name in TokenNames)
            {
                if (file?.Find(name) is { } field)
                {
                    tokens[name] = field.Element.ValueKind == JsonValueKind.Object ? field.Get("content").String() : field.String();
                }
            }
        }

        return tokens;
    }
}
