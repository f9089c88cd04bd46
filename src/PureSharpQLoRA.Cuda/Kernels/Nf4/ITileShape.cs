using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>
/// How a block of threads shares a tile of the result: four warps side by side own 64 columns each, and there are one or two rows of such warps.
/// </summary>
internal interface ITileShape
{
    /// <summary>Rows of warps.</summary>
    static abstract int WarpRows { get; }

    /// <summary>16-byte chunks of activations that each thread loads per step, two or four: eight threads load a row.</summary>
    static abstract int Passes { get; }
}

/// <summary>32 rows by 256 columns, four warps of 32x64: for few rows.</summary>
internal struct Tile32 : ITileShape
{
    public const int Threads = 128, Rows = 32;

    public static int WarpRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    public static int Passes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2;
    }
}

/// <summary>64 rows by 256 columns, four warps of 64x64.</summary>
internal struct Tile64 : ITileShape
{
    public const int Threads = 128, Rows = 64;

    public static int WarpRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 1;
    }

    public static int Passes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }
}

/// <summary>128 rows by 256 columns, eight warps of 64x64: the least traffic; each code is decoded twice.</summary>
internal struct Tile128 : ITileShape
{
    public const int Threads = 256, Rows = 128;

    public static int WarpRows
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2;
    }

    public static int Passes
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 4;
    }
}
