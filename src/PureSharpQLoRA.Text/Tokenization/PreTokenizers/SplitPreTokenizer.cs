namespace PureSharpQLoRA.Text;

/// <summary>What becomes of the matches of a split pattern.</summary>
internal enum SplitBehavior
{
    /// <summary>Every match is a piece, and so is every stretch between matches.</summary>
    Isolated,

    /// <summary>Matches disappear.</summary>
    Removed,

    /// <summary>Adjacent matches form one piece.</summary>
    Contiguous,

    /// <summary>A match ends the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>A match begins the piece after it.</summary>
    MergedWithNext,
}

/// <summary>Cuts pieces at the matches of a pattern.</summary>
internal sealed class SplitPreTokenizer(SplitPattern pattern, SplitBehavior behavior) : PreTokenizer
{
    public static SplitPreTokenizer Load(JsonField json)
    {
        SplitPattern pattern = SplitPattern.Load(json.Get("pattern"));
        string name = json.Get("behavior").String();
        if (!Enum.TryParse(name, out SplitBehavior behavior))
        {
            throw json.Unsupported("split behavior", name, string.Join(", ", Enum.GetNames<SplitBehavior>()));
        }

        return new SplitPreTokenizer(json.BoolOr("invert", false) ? new InvertedPattern(pattern) : pattern, behavior);
    }

    public override void Apply(PieceBuffer input, PieceBuffer output, List<PatternSpan> scratch)
    {
        for (int i = 0; i < input.Count; i++)
        {
            scratch.Clear();
            ReadOnlySpan<char> text = input.Text(i);
            pattern.Cut(text, scratch);
            Emit(input, i, scratch, output);
        }
    }

    private void Emit(PieceBuffer input, int index, List<PatternSpan> spans, PieceBuffer output)
    {
        for (int i = 0; i < spans.Count;)
        {
            int last = i;
            if (behavior == SplitBehavior.Removed && spans[i].IsMatch)
            {
                i++;
                continue;
            }

            while (last + 1 < spans.Count && Joined(spans, last))
            {
                last++;
            }

            output.Add(input, index, spans[i].Start, spans[last].End - spans[i].Start, input[index].AtTextStart && spans[i].Start == 0);
            i = last + 1;
        }
    }

    /// <summary>Whether a span and the one after it belong to one piece.</summary>
    private bool Joined(List<PatternSpan> spans, int index) => behavior switch
    {
        SplitBehavior.Contiguous => spans[index].IsMatch == spans[index + 1].IsMatch,
        SplitBehavior.MergedWithPrevious => !spans[index].IsMatch && spans[index + 1].IsMatch,
        SplitBehavior.MergedWithNext => spans[index].IsMatch && !spans[index + 1].IsMatch,
        _ => false,
    };
}
