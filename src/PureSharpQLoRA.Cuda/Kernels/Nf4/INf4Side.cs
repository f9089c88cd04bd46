using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// From which side a product takes an NF4 weight [outputs, inputs]: over its inputs (forwards) or over its outputs (backwards). The value holds
/// where a lane reads, and the codes it will decode next. A step covers 64 of the reduction in two phases.
/// </summary>
internal interface INf4Side<TSelf>
    where TSelf : struct, INf4Side<TSelf>
{
    /// <summary>Begins, and loads what the first phase decodes.</summary>
    /// <param name="codes">[outputs, inputs / 8] words of eight codes.</param>
    /// <param name="scales">[inputs / 64, outputs / 8] chunks of eight prepared scales.</param>
    /// <param name="firstColumn">The first of the warp's 64 columns of the result.</param>
    /// <param name="columns">Columns of the result.</param>
    /// <param name="reduction">What is summed over.</param>
    /// <param name="g">The lane's number / 4.</param>
    /// <param name="t">The lane's number % 4.</param>
    static abstract TSelf Start(ArrayView<uint> codes, ArrayView<U4> scales, int firstColumn, int columns, int reduction, int g, int t);

    /// <summary>Weights of the first phase of a step.</summary>
    static abstract Phase DecodeFirst<TCore>(TSelf side, Nf4Table table)
        where TCore : struct, INf4Core;

    /// <summary>Loads what the second phase of a step needs beyond the first.</summary>
    static abstract TSelf LoadSecond(TSelf side, int step);

    /// <summary>Weights of the second phase of a step.</summary>
    static abstract Phase DecodeSecond<TCore>(TSelf side, Nf4Table table)
        where TCore : struct, INf4Core;

    /// <summary>Loads what the first phase of a step decodes.</summary>
    static abstract TSelf LoadFirst(TSelf side, int step);

    /// <summary>The lane's four of 16 of the rank of the second term's factor, from 4 * <paramref name="quad"/> on; zeros where none are.</summary>
    static abstract Fragments Factor(TSelf side, ArrayView<U2> factor, int quad, int quads, int rank);

    /// <summary>Eight elements of the activations; zeros, or where they don't matter anything, if they are outside.</summary>
    static abstract U4 Load(ArrayView<U4> activations, int row, int rows, int step, int chunk, int reduction);

    /// <summary>Copies eight elements of the activations to shared memory in the background.</summary>
    static abstract void Copy(uint sharedAddress, ArrayView<U4> activations, int row, int rows, int step, int chunk, int reduction);
}
