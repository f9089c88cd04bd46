using PureSharpQLoRA.Generators.Model;

namespace PureSharpQLoRA.Generators.Planning;

/// <summary>One thing that takes memory.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Bytes">How much it takes.</param>
public sealed record MemoryRow(string Name, long Bytes);

/// <summary>Where the memory of a training step goes. Plans of all methods have the same rows in the same order.</summary>
/// <param name="Options">The settings it holds for.</param>
/// <param name="Rows">The rows.</param>
public sealed record MemoryPlan(PlanOptions Options, EquatableArray<MemoryRow> Rows)
{
    /// <summary>Bytes of all rows.</summary>
    public long TotalBytes => Rows.Sum(row => row.Bytes);

    /// <summary>Bytes of the row named <paramref name="name"/>.</summary>
    public long this[string name] => Rows.Single(row => row.Name == name).Bytes;
}
