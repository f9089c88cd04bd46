namespace PureSharpQLoRA.Text;

/// <summary>A conversation as a model sees it.</summary>
/// <param name="Text">The text that the template makes of it.</param>
/// <param name="Ids">[tokens]: the ids of the text.</param>
/// <param name="AssistantMask">[tokens]: whether the token is part of what the assistant says, and so of what is learnt.</param>
/// <param name="Spans">[tokens]: which stretch of the text each token stands for.</param>
public sealed record ChatTokens(string Text, int[] Ids, bool[] AssistantMask, IReadOnlyList<TextSpan> Spans)
{
    /// <summary>The stretches of the text that are learnt, in order.</summary>
    public IEnumerable<TextSpan> Learnt
    {
        get
        {
            for (int at = 0; at < Ids.Length; at++)
            {
                if (AssistantMask[at])
                {
                    int start = at;
                    while (at + 1 < Ids.Length && AssistantMask[at + 1])
                    {
                        at++;
                    }

                    yield return new TextSpan(Spans[start].Start, Spans[at].End);
                }
            }
        }
    }
}
