using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;

namespace PureSharpQLoRA.Kernels.Dry;

/// <summary>What a dry training step is of.</summary>
/// <param name="Capability">The card's compute capability.</param>
/// <param name="Batch">Sequences in a micro-batch.</param>
/// <param name="Length">Tokens in each.</param>
/// <param name="Rank">Of the adapters, on all linear layers.</param>
/// <param name="EightBitOptimizer">Whether the moments take 8 bits.</param>
/// <param name="Offloading">Whether the inputs of blocks wait in the host's memory.</param>
internal sealed record StepSettings(int Capability, int Batch = 2, int Length = 1024, int Rank = 16, bool EightBitOptimizer = false, bool Offloading = false)
{
    /// <summary>Tokens in a micro-batch.</summary>
    public int Tokens => Batch * Length;
}

/// <summary>What a training step of Llama-3.1-8B asks of a device, and what it takes of its memory, to the byte.</summary>
/// <param name="Settings">The step.</param>
/// <param name="Operations">Every call of the backend, in order.</param>
/// <param name="Kernels">Every kernel that was wanted.</param>
/// <param name="PeakBytes">The most bytes that tensors held at a time.</param>
/// <param name="DevicePeakBytes">The most bytes that the pool had taken from the device, cached blocks included.</param>
/// <param name="PurposePeaks">The most bytes of each purpose.</param>
internal sealed record DryStep(
    StepSettings Settings, IReadOnlyList<Operation> Operations, IReadOnlyList<CompiledKernel> Kernels,
    long PeakBytes, long DevicePeakBytes, IReadOnlyDictionary<MemoryPurpose, long> PurposePeaks)
{
    /// <summary>A step of a model loaded for it alone.</summary>
    public static DryStep Run(StepSettings settings)
    {
        using var model = new DryModel(settings.Capability);
        return model.Run(settings);
    }
}
