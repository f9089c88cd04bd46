using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Products;

namespace PureSharpQLoRA.Cuda.Kernels.Dora;

/// <summary>How four neighbouring elements of a stored weight become floats.</summary>
/// <typeparam name="TStorage">As many bytes as four elements take.</typeparam>
internal interface IQuadReader<TStorage>
    where TStorage : unmanaged
{
    /// <summary>Called once by every thread, ahead of a barrier and the first <see cref="Read"/>.</summary>
    /// <param name="levels">Shared address of 16 floats.</param>
    static abstract void Prepare(uint levels);

    /// <summary>Elements [4 quad, 4 quad + 4).</summary>
    static abstract F4 Read(ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, int quad);
}

/// <summary>fp32.</summary>
internal struct SingleQuadReader : IQuadReader<U4>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(uint levels)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Read(ArrayView<U4> data, ArrayView<float> maxima, uint levels, int quad)
    {
        U4 v = data[quad];
        return new() { X = Interop.IntAsFloat(v.X), Y = Interop.IntAsFloat(v.Y), Z = Interop.IntAsFloat(v.Z), W = Interop.IntAsFloat(v.W) };
    }
}

/// <summary>fp16.</summary>
internal struct HalfQuadReader : IQuadReader<U2>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(uint levels)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Read(ArrayView<U2> data, ArrayView<float> maxima, uint levels, int quad)
    {
        U2 v = data[quad];
        return new() { X = Ptx.LowHalf(v.X), Y = Ptx.HighHalf(v.X), Z = Ptx.LowHalf(v.Y), W = Ptx.HighHalf(v.Y) };
    }
}

/// <summary>bf16.</summary>
internal struct BrainQuadReader : IQuadReader<U2>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(uint levels)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Read(ArrayView<U2> data, ArrayView<float> maxima, uint levels, int quad)
    {
        U2 v = data[quad];
        return new()
        {
            X = Interop.IntAsFloat(v.X << 16),
            Y = Interop.IntAsFloat(v.X & 0xFFFF0000),
            Z = Interop.IntAsFloat(v.Y << 16),
            W = Interop.IntAsFloat(v.Y & 0xFFFF0000),
        };
    }
}

/// <summary>NF4: four codes are two bytes, the first of each in its upper half; a quad never has two maxima.</summary>
internal struct Nf4QuadReader : IQuadReader<ushort>
{
    /// <summary>log2 of the quads that share a maximum.</summary>
    private const int BlockShift = 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(uint levels) => Nf4Reader.Prepare(levels);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static F4 Read(ArrayView<ushort> data, ArrayView<float> maxima, uint levels, int quad)
    {
        uint codes = data[quad];
        float maximum = maxima[quad >> BlockShift];
        return new()
        {
            X = Level(levels, codes >> 4) * maximum,
            Y = Level(levels, codes) * maximum,
            Z = Level(levels, codes >> 12) * maximum,
            W = Level(levels, codes >> 8) * maximum,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Level(uint levels, uint code) => Ptx.LoadShared4(levels + 4 * (code & 15));
}
