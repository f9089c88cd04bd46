using PureSharpQLoRA.Text.Templates;

namespace PureSharpQLoRA.Text;

/// <summary>Finds what the assistant says in the text of a template that does not mark it.</summary>
/// <remarks>
/// An answer is what the text has beyond the conversation before it, rendered with the generation prompt, and up to the conversation that ends with it. Some templates
/// render an answer differently once more follows (they drop its thinking, or move the system message). There the answer is found by what changes in the text when its
/// content does, and it ends as it would at the end of the conversation.
/// </remarks>
internal sealed class AnswerFinder(ChatTemplate template, Conversation conversation, string text, bool endsWithPrompt)
{
    /// <summary>Contents that no conversation has; they begin and end differently, so one of them differs from any text at both ends.</summary>
    private static readonly string[] Stand = ["⁂one⁂", "※two※"];

    public List<TextSpan> Find()
    {
        var answers = new List<TextSpan>();
        for (int i = 0; i < conversation.Length; i++)
        {
            if (conversation.IsAssistant(i))
            {
                TextSpan answer = Find(i);
                answers.Add(answers.Count == 0 || answer.Start >= answers[^1].End ? answer : throw Hidden(i));
            }
        }

        return answers;
    }

    private TextSpan Find(int index)
    {
        string? before = Render(conversation.Take(index), addGenerationPrompt: true);
        string? through = index == conversation.Length - 1 && !endsWithPrompt ? text : Render(conversation.Take(index + 1), addGenerationPrompt: false);
        int? start = before is not null && text.StartsWith(before, StringComparison.Ordinal) ? before.Length : null;
        int? end = through is not null && text.StartsWith(through, StringComparison.Ordinal) && through.Length >= (start ?? 0) ? through.Length : null;
        if (start is not null && end is not null)
        {
            return new TextSpan(start.Value, end.Value);
        }

        TextSpan content = FindContent(index);
        start ??= FindStart(index, before, content);
        end ??= FindEnd(index, content);
        return start <= end ? new TextSpan(start.Value, end.Value) : throw Hidden(index);
    }

    /// <summary>The part of the text that changes with the content of a message.</summary>
    private TextSpan FindContent(int index)
    {
        int start = text.Length, end = 0;
        foreach (string stand in Stand)
        {
            if (Render(conversation.WithContent(index, stand), endsWithPrompt) is not { } changed || changed == text)
            {
                throw Hidden(index);
            }

            int common = text.AsSpan().CommonPrefixLength(changed);
            start = Math.Min(start, common);
            int tail = 0;
            while (tail < Math.Min(text.Length, changed.Length) - common && text[^(tail + 1)] == changed[^(tail + 1)])
            {
                tail++;
            }

            end = Math.Max(end, text.Length - tail);
        }

        return new TextSpan(start, end);
    }

    /// <summary>Where the text leaves the generation prompt, which it may follow only in part.</summary>
    private int FindStart(int index, string? before, TextSpan content)
    {
        string? plain = Render(conversation.Take(index), addGenerationPrompt: false);
        return plain is not null && before is not null && text.StartsWith(plain, StringComparison.Ordinal)
            ? Math.Min(text.AsSpan().CommonPrefixLength(before), content.Start) : content.Start;
    }

    /// <summary>The content's end and what follows it where the answer is the last message: calls of tools, the token that ends a turn.</summary>
    private int FindEnd(int index, TextSpan content)
    {
        string stand = Stand[0];
        string? last = Render(conversation.Take(index + 1).WithContent(index, stand), addGenerationPrompt: false);
        int at = last?.LastIndexOf(stand, StringComparison.Ordinal) ?? -1;
        if (at < 0)
        {
            throw Hidden(index);
        }

        return content.End + text.AsSpan(content.End).CommonPrefixLength(last.AsSpan(at + stand.Length));
    }

    private string? Render(Conversation part, bool addGenerationPrompt)
    {
        try
        {
            return template.Render(part, addGenerationPrompt);
        }
        catch (TemplateException)
        {
            // Many templates refuse a part of a conversation, for instance one without a question.
            return null;
        }
    }

    private static ChatTemplateException Hidden(int index) => new(
        $"the chat template does not show which part of its text message {index + 1} is, so it cannot be learnt alone: put {{% generation %}} blocks around the assistant's part "
        + "in the model's chat_template.jinja, or learn the whole conversation (--assistant-only-loss false)");
}
