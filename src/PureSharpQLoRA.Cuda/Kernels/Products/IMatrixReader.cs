using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>How single elements of a stored matrix become floats.</summary>
/// <typeparam name="TStorage">What the buffer is a view of.</typeparam>
internal interface IMatrixReader<TStorage>
    where TStorage : unmanaged
{
    /// <summary>Called once by every thread, ahead of a barrier and the first <see cref="Read"/>.</summary>
    /// <param name="levels">Shared address of 16 floats.</param>
    static abstract void Prepare(uint levels);

    /// <summary>The element with a flat index.</summary>
    static abstract float Read(ArrayView<TStorage> data, ArrayView<float> maxima, uint levels, uint index);
}

/// <summary>fp32, fp16 or bf16.</summary>
internal struct DenseReader<TElement> : IMatrixReader<TElement>
    where TElement : unmanaged, IElement<TElement>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(uint levels)
    {
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(ArrayView<TElement> data, ArrayView<float> maxima, uint levels, uint index) => TElement.ToFloat(data[(int)index]);
}

/// <summary>
/// NF4 codes with the fp32 maximum of each 64 flat elements, which may begin anywhere in a row. The levels lie in shared memory: 16 words are 16 banks,
/// so that lanes with different codes never conflict.
/// </summary>
internal struct Nf4Reader : IMatrixReader<byte>
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prepare(uint levels)
    {
        int code = Group.IdxX;
        if (code < 16)
        {
            Ptx.StoreShared(levels + 4 * (uint)code, Level(code));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(ArrayView<byte> data, ArrayView<float> maxima, uint levels, uint index)
    {
        // The element with the even index lies in the high nibble.
        uint code = (uint)data[(int)(index >> 1)] >> (int)(4 - (index & 1) * 4) & 15;
        return Ptx.LoadShared4(levels + 4 * code) * maxima[(int)(index >> 6)];
    }

    /// <summary>The levels of <see cref="Core.Quantization.Nf4Format"/>, which a kernel cannot read as an array.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Level(int code)
    {
        float low = code < 4
            ? (code < 2 ? (code == 0 ? -1f : -0.6961928009986877f) : (code == 2 ? -0.5250730514526367f : -0.39491748809814453f))
            : (code < 6 ? (code == 4 ? -0.28444138169288635f : -0.18477343022823334f) : (code == 6 ? -0.09105003625154495f : 0f));
        float high = code < 12
            ? (code < 10 ? (code == 8 ? 0.07958029955625534f : 0.16093020141124725f) : (code == 10 ? 0.24611230194568634f : 0.33791524171829224f))
            : (code < 14 ? (code == 12 ? 0.44070982933044434f : 0.5626170039176941f) : (code == 14 ? 0.7229568362236023f : 1f));
        return code < 8 ? low : high;
    }
}
