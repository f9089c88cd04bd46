namespace PureSharpQLoRA.Core.Cpu.Attention;

/// <summary>
/// A range of a document's keys whose gradients one thread computes for a key head. The first part of a document writes the query
/// gradients themselves, the others matrices of their own at <paramref name="Partial"/>, which are added in the order of the parts.
/// </summary>
/// <param name="Document">The document.</param>
/// <param name="FirstKey">The first key, divisible by 32.</param>
/// <param name="EndKey">Behind the last key.</param>
/// <param name="Partial">Where the part's query gradients [length, query width] begin among the partial ones, in floats; -1 for the first part.</param>
internal readonly record struct BackwardPart(int Document, int FirstKey, int EndKey, long Partial)
{
    /// <summary>Whether a query of the block sees a key of the part.</summary>
    public bool IsSeenBy(in QueryBlock block) => block.EndKey > FirstKey && block.FirstKey < EndKey;

    /// <summary>About how many pairs of a query and a key there are.</summary>
    public long Work(int length, int window)
    {
        long keys = EndKey - FirstKey;
        long queries = length - FirstKey - keys / 2;
        return keys * (window == 0 ? queries : Math.Min(queries, window));
    }
}
