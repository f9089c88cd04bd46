using System.Text.Json;
using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text;

/// <summary>Tokenises records with the tokens that begin and end a document.</summary>
internal sealed class ExampleBuilder(Tokenizer tokenizer, DatasetOptions options)
{
    private readonly List<int> _ids = [];
    private readonly List<int> _promptIds = [];

    /// <summary>Ids must be below this.</summary>
    public int VocabularySize { get; } = options.VocabularySize ?? tokenizer.VocabularySize;

    /// <summary>Begin, text and end, all learnt.</summary>
    public Example FromText(string text)
    {
        if (text.Length == 0)
        {
            return new Example([], []);
        }

        _ids.Clear();
        tokenizer.Encode(text, _ids, addSpecialTokens: true);
        AddEnd();
        int[] ids = [.. _ids];
        return new Example(ids, ids);
    }

    /// <summary>Begin, prompt, completion and end; the prompt is learnt only where the options say so.</summary>
    /// <remarks>
    /// Prompt and completion are tokenised as one text, as a model that goes on writing would see them. Where the prompt's own ids do not
    /// begin that (a token spans the boundary), each is tokenised for itself, so that no token is half prompt and half completion.
    /// </remarks>
    public Example FromPrompt(string prompt, string completion)
    {
        if (prompt.Length == 0 && completion.Length == 0)
        {
            return new Example([], []);
        }

        _promptIds.Clear();
        _promptIds.AddRange(tokenizer.PrefixIds);
        tokenizer.Encode(prompt, _promptIds, addSpecialTokens: false);

        _ids.Clear();
        tokenizer.Encode(prompt + completion, _ids, addSpecialTokens: true);
        bool joint = _ids.Count >= _promptIds.Count;
        for (int i = 0; joint && i < _promptIds.Count; i++)
        {
            joint = _ids[i] == _promptIds[i];
        }

        if (!joint)
        {
            _ids.Clear();
            _ids.AddRange(_promptIds);
            tokenizer.Encode(completion, _ids, addSpecialTokens: false);
            _ids.AddRange(tokenizer.SuffixIds);
        }

        AddEnd();
        int[] ids = [.. _ids];
        if (!options.CompletionOnlyLoss)
        {
            return new Example(ids, ids);
        }

        int[] labels = [.. ids];
        labels.AsSpan(0, _promptIds.Count).Fill(Example.Ignored);
        return new Example(ids, labels);
    }

    /// <summary>What the chat template makes of a conversation, with the tokens that it writes and no others.</summary>
    public Example FromConversation(Record record, Func<JsonElement, Conversation> read)
    {
        ChatTemplate template = options.ChatTemplate ?? throw record.Place.Error("the record is a conversation, and the model has no chat template: copy the template of "
            + "the model's chat version into the model folder as chat_template.jinja, or turn the data into {\"prompt\", \"completion\"} records");
        try
        {
            Conversation conversation = read(record.Element);
            if (!options.AssistantOnlyLoss)
            {
                int[] all = template.EncodeIds(conversation, tokenizer);
                return new Example(all, all);
            }

            ChatTokens tokens = template.Encode(conversation, tokenizer);
            int[] labels = new int[tokens.Ids.Length];
            for (int i = 0; i < labels.Length; i++)
            {
                labels[i] = tokens.AssistantMask[i] ? tokens.Ids[i] : Example.Ignored;
            }

            return new Example(tokens.Ids, labels);
        }
        catch (Exception exception) when (exception is ChatTemplateException or TemplateException)
        {
            throw record.Place.Error(exception.Message, exception);
        }
    }

    private void AddEnd()
    {
        if (tokenizer.EosId is { } end && (_ids.Count == 0 || _ids[^1] != end))
        {
            _ids.Add(end);
        }
    }
}
