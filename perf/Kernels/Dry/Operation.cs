namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>One call of a backend, with the least work that it means and what was launched for it.</summary>
/// <param name="Kind">Family, for the tables.</param>
/// <param name="Shape">Sizes in words.</param>
/// <param name="Flops">Floating-point operations of its matrix products, 0 for anything else.</param>
/// <param name="Bytes">The fewest bytes it can move: every operand once.</param>
internal sealed record Operation(string Kind, string Shape, double Flops, long Bytes)
{
    /// <summary>The kernels of the call, in order.</summary>
    public List<Launch> Launches { get; } = [];
}
