namespace PureSharpQLoRA.Text;

/// <summary>One document of a data set, as token ids and what is learnt of them.</summary>
/// <param name="Ids">[tokens]: the ids.</param>
/// <param name="Labels">
/// [tokens]: the id again where it is learnt, <see cref="Ignored"/> where it is not. Not shifted: the label of a token is learnt from
/// the tokens before it, so the first one never is. The same array as <paramref name="Ids"/> where everything is learnt; neither may be changed.
/// </param>
public sealed record Example(int[] Ids, int[] Labels)
{
    /// <summary>The label of tokens that are not learnt (as in PyTorch's cross entropy).</summary>
    public const int Ignored = -100;

    /// <summary>How many tokens are predicted and learnt.</summary>
    public int CountTargets()
    {
        int count = 0;
        for (int i = 1; i < Labels.Length; i++)
        {
            count += Labels[i] != Ignored ? 1 : 0;
        }

        return count;
    }
}
