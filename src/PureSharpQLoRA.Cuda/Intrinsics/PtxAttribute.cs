namespace PureSharpQLoRA.Cuda.Intrinsics;

/// <summary>
/// The PTX that a method becomes: %0, %1, ... are the flattened registers of the result and then those of the arguments. The method also
/// needs ILGPU's <c>[IntrinsicImplementation]</c>; its C# body says the same for ordinary code, where that is possible.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PtxAttribute(string template) : Attribute
{
    public string Template { get; } = template;

    /// <summary>Bit i: argument i is a reference into shared memory, and is converted to that address space.</summary>
    public int SharedArguments { get; init; }

    /// <summary>
    /// Bit i: argument i must be a constant once everything is inlined, and its digits are written into the template. Offsets of addresses go
    /// this way: added to an index they cost an instruction each, because ILGPU widens indices to 64 bits.
    /// </summary>
    public int LiteralArguments { get; init; }
}
