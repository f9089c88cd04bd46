namespace PureSharpQLoRA.Cli.Inspection;

/// <summary>A tensor of something that was looked at.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">Its type as the format calls it.</param>
/// <param name="Shape">Its extents, outermost first.</param>
/// <param name="Bytes">Its size.</param>
internal sealed record InspectedTensor(string Name, string Type, IReadOnlyList<long> Shape, long Bytes);

/// <summary>A group of facts, such as an adapter's settings.</summary>
/// <param name="Name">In snake_case, for JSON.</param>
/// <param name="Values">Names and values: texts, numbers, yes/no values or lists of texts.</param>
internal sealed record InspectedFacts(string Name, IReadOnlyList<(string Name, object? Value)> Values);

/// <summary>What a model, adapter, GGUF file or checkpoint holds.</summary>
/// <param name="Kind">What it is, in a few words.</param>
/// <param name="Files">The weight files.</param>
/// <param name="Parameters">Numbers that its tensors stand for.</param>
/// <param name="Tensors">Every tensor, in the order of their names.</param>
/// <param name="Facts">What else is known.</param>
internal sealed record InspectedFolder(
    string Kind, IReadOnlyList<string> Files, long Parameters, IReadOnlyList<InspectedTensor> Tensors, IReadOnlyList<InspectedFacts> Facts)
{
    /// <summary>Tensors and bytes by type, the largest first.</summary>
    public IReadOnlyList<(string Type, int Tensors, long Bytes)> Types =>
        [.. Tensors.GroupBy(tensor => tensor.Type).Select(group => (group.Key, group.Count(), group.Sum(tensor => tensor.Bytes))).OrderByDescending(row => row.Item3).ThenBy(row => row.Key, StringComparer.Ordinal)];
}
