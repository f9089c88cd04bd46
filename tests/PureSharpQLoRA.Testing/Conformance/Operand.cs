using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.Conformance;

/// <summary>A tensor on a device, and what its elements stand for.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Values">Its elements in double.</param>
public sealed record Operand(Tensor Tensor, double[] Values);
