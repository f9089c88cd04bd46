using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Optimizer;

/// <summary>
/// AdamW with fp32 moments: reads 16 bytes and writes 12 for each parameter. Nothing changes where the control says that a gradient is not finite.
/// </summary>
internal static class AdamWKernels
{
    public const int Threads = 256;

    /// <summary>Four parameters a thread, all tensors at multiples of 16 bytes. Grid: ceil(quads / 256).</summary>
    /// <param name="parameters">fp32 in quads, as are the other three.</param>
    /// <param name="gradients">Multiplied by the control's factor.</param>
    /// <param name="first">First moment.</param>
    /// <param name="second">Second moment.</param>
    /// <param name="control">What <see cref="GradientNormKernels.Finish"/> wrote.</param>
    /// <param name="quads">Quads in each tensor.</param>
    /// <param name="settings">The step.</param>
    public static void Quads(
        ArrayView<F4> parameters, ArrayView<F4> gradients, ArrayView<F4> first, ArrayView<F4> second, ArrayView<float> control, int quads, AdamSettings settings)
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i >= quads || control[GradientNormKernels.IsFinite] == 0)
        {
            return;
        }

        AdamStates states = AdamStates.Update(
            new() { Parameters = parameters[i], First = first[i], Second = second[i] }, gradients[i], control[GradientNormKernels.Factor], settings);
        parameters[i] = states.Parameters;
        first[i] = states.First;
        second[i] = states.Second;
    }

    /// <summary>As <see cref="Quads"/>, one parameter a thread at any address. Grid: ceil(count / 256).</summary>
    public static void Elements(
        ArrayView<float> parameters, ArrayView<float> gradients, ArrayView<float> first, ArrayView<float> second, ArrayView<float> control, int count, AdamSettings settings)
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i >= count || control[GradientNormKernels.IsFinite] == 0)
        {
            return;
        }

        AdamState state = AdamState.Update(
            new() { Parameter = parameters[i], First = first[i], Second = second[i] }, gradients[i] * control[GradientNormKernels.Factor], settings);
        parameters[i] = state.Parameter;
        first[i] = state.First;
        second[i] = state.Second;
    }
}
