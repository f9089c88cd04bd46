using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Core;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Random;

/// <summary>Dropout and noise, a pack a thread, with the numbers of <see cref="Philox.Uniform"/>, bit for bit. Grid: ceil(packs / 256).</summary>
internal static class RandomKernels
{
    public const int Threads = 256;

    private const uint Multiplier = 0xD256D193;
    private const uint Weyl = 0x9E3779B9;

    /// <summary>y (+)= x * kept where the element's number is at least the probability, else 0.</summary>
    public static void Dropout<TStorage, TPack>(
        ArrayView<TStorage> x, ArrayView<TStorage> y, int packs, float probability, float kept, uint seedLow, uint seedHigh, int accumulate)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i >= packs)
        {
            return;
        }

        Eight value = TPack.Load(x, i), number = Uniform((uint)(i * TPack.Elements), seedLow, seedHigh);
        var result = new Eight
        {
            A = Keep(value.A, number.A, probability, kept),
            B = Keep(value.B, number.B, probability, kept),
        };
        if (accumulate != 0)
        {
            result = Eight.Add(TPack.Load(y, i), result);
        }

        TPack.Store(y, i, result);
    }

    /// <summary>x += amplitude * (2 number - 1).</summary>
    public static void AddUniformNoise<TStorage, TPack>(ArrayView<TStorage> x, int packs, float amplitude, uint seedLow, uint seedHigh)
        where TStorage : unmanaged
        where TPack : struct, IPack<TStorage>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < packs)
        {
            Eight number = Uniform((uint)(i * TPack.Elements), seedLow, seedHigh);
            TPack.Store(x, i, Eight.ScaleAdd(Eight.Add(Eight.Scale(number, 2), -1), amplitude, TPack.Load(x, i)));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Keep(F4 value, F4 number, float probability, float kept) => new()
    {
        X = Keep(value.X, number.X, probability, kept),
        Y = Keep(value.Y, number.Y, probability, kept),
        Z = Keep(value.Z, number.Z, probability, kept),
        W = Keep(value.W, number.W, probability, kept),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Keep(float value, float number, float probability, float kept)
    {
        float scaled = value * kept;
        return number >= probability ? scaled : 0f;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Eight Uniform(uint index, uint seedLow, uint seedHigh) => new()
    {
        A = Uniform4(index, seedLow, seedHigh),
        B = Uniform4(index + 4, seedLow, seedHigh),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F4 Uniform4(uint index, uint seedLow, uint seedHigh) => new()
    {
        X = Number(index, seedLow, seedHigh),
        Y = Number(index + 1, seedLow, seedHigh),
        Z = Number(index + 2, seedLow, seedHigh),
        W = Number(index + 3, seedLow, seedHigh),
    };

    /// <summary>Ten rounds of Philox 2x32 on (index, seedHigh), without a loop, which would not be unrolled; the upper 24 bits as a fraction.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Number(uint index, uint seedLow, uint seedHigh)
    {
        State state = Round(new State { Low = index, High = seedHigh }, seedLow);
        state = Round(state, seedLow + Weyl);
        state = Round(state, seedLow + unchecked(2 * Weyl));
        state = Round(state, seedLow + unchecked(3 * Weyl));
        state = Round(state, seedLow + unchecked(4 * Weyl));
        state = Round(state, seedLow + unchecked(5 * Weyl));
        state = Round(state, seedLow + unchecked(6 * Weyl));
        state = Round(state, seedLow + unchecked(7 * Weyl));
        state = Round(state, seedLow + unchecked(8 * Weyl));
        state = Round(state, seedLow + unchecked(9 * Weyl));
        return (int)(state.High >> 8) * (1f / (1 << 24));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static State Round(State state, uint key)
    {
        ulong product = (ulong)Multiplier * state.Low;
        return new State { Low = (uint)(product >> 32) ^ key ^ state.High, High = (uint)product };
    }

    private struct State
    {
        public uint Low, High;
    }
}
