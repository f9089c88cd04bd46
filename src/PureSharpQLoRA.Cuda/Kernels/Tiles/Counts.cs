using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Cuda.Kernels.Tiles;

/// <summary>A number known when a kernel is compiled.</summary>
internal interface ICount
{
    static abstract int Value { get; }
}

internal struct Count1 : ICount
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }
}

internal struct Count2 : ICount
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2;
    }
}

internal struct Count4 : ICount
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }
}

internal struct Count8 : ICount
{
    public static int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 8;
    }
}
