namespace PureSharpQLoRA.Cuda.Compilation;

/// <summary>The PTX of one kernel.</summary>
/// <param name="Key">What was compiled.</param>
/// <param name="EntryPoint">Its name in the PTX.</param>
/// <param name="Architecture">The compute capability it was compiled for.</param>
/// <param name="Ptx">The text, which the driver assembles for the card at hand.</param>
public sealed record CompiledKernel(KernelKey Key, string EntryPoint, int Architecture, string Ptx);
