using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Cuda.Kernels.Elements;

/// <summary>Whether a kernel has a part that costs registers; decided when it is compiled.</summary>
internal interface IOption
{
    static abstract bool IsWanted { get; }
}

/// <summary>It has.</summary>
internal struct With : IOption
{
    public static bool IsWanted
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => true;
    }
}

/// <summary>It has not.</summary>
internal struct Without : IOption
{
    public static bool IsWanted
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => false;
    }
}
