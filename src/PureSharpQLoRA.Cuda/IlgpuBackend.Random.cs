using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Compilation;
using PureSharpQLoRA.Cuda.Kernels.Random;

namespace PureSharpQLoRA.Cuda;

public sealed partial class IlgpuBackend
{
    /// <inheritdoc/>
    public void Dropout(Tensor x, Tensor y, float probability, ulong seed, bool accumulate)
    {
        ArgumentNullException.ThrowIfNull(x);
        CheckActivation(x, x.Shape, "Dropout", "x");
        CheckActivation(y, x.Shape, "Dropout", "y");
        FlatPacks packs = Flat(x, x.Address | y.Address);
        LaunchArguments arguments = _arguments.Begin().View(x.Address, packs.Count).View(Write(y), packs.Count).Int(packs.Count)
            .Float(probability).Float(1 / (1 - probability)).Int((int)seed).Int((int)(seed >> 32)).Int(accumulate ? 1 : 0);
        LaunchFlat(typeof(RandomKernels), nameof(RandomKernels.Dropout), packs, arguments);
    }

    /// <inheritdoc/>
    public void AddUniformNoise(Tensor x, float amplitude, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(x);
        CheckActivation(x, x.Shape, "AddUniformNoise", "x");
        FlatPacks packs = Flat(x, x.Address);
        LaunchArguments arguments = _arguments.Begin().View(Write(x), packs.Count).Int(packs.Count)
            .Float(amplitude).Int((int)seed).Int((int)(seed >> 32));
        LaunchFlat(typeof(RandomKernels), nameof(RandomKernels.AddUniformNoise), packs, arguments);
    }
}
