using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>Conditions as masks, for predicated loads: a comparison in C# becomes a branch, and is not always folded away.</summary>
internal static class Masks
{
    /// <summary>-1 where a &lt; b, else 0, for differences below 2^31.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Less(int a, int b) => a - b >> 31;
}
