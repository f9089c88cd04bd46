namespace PureSharpQLoRA.Text;

/// <summary>A stretch of a text, in UTF-16 units.</summary>
/// <param name="Start">The first unit.</param>
/// <param name="End">One past the last unit.</param>
public readonly record struct TextSpan(int Start, int End)
{
    /// <summary>The number of units.</summary>
    public int Length => End - Start;
}
