namespace PureSharpQLoRA.Text;

/// <summary>How records become examples.</summary>
public sealed record DatasetOptions
{
    /// <summary>The most tokens of an example; longer ones lose their end. Null: no limit.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Whether only the completion of prompt-and-completion records is learnt, not the prompt.</summary>
    public bool CompletionOnlyLoss { get; init; } = true;

    /// <summary>Whether only what the assistant says is learnt of conversations, not the other messages.</summary>
    public bool AssistantOnlyLoss { get; init; } = true;

    /// <summary>The model's chat template, which conversations need.</summary>
    public ChatTemplate? ChatTemplate { get; init; }

    /// <summary>Ids of tokenised records must be below this. Null: the tokenizer's size; models may have rows for more.</summary>
    public int? VocabularySize { get; init; }
}
