using System.Numerics;
using System.Runtime.CompilerServices;

namespace PureSharpQLoRA.Core;

/// <summary>
/// Random numbers by counter: the value at an index depends on seed and index alone, so that it is the same in any order,
/// on any number of threads and on any device. Philox 2x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011).
/// </summary>
public static class Philox
{
    private const uint Multiplier = 0xD256D193;
    private const uint Weyl = 0x9E3779B9;

    /// <summary>64 random bits for one index of the stream that <paramref name="seed"/> names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Bits(ulong seed, ulong index)
    {
        uint low = (uint)index, high = (uint)(index >> 32) ^ (uint)(seed >> 32), key = (uint)seed;
        for (int round = 0; round < 10; round++)
        {
            ulong product = (ulong)Multiplier * low;
            low = (uint)(product >> 32) ^ key ^ high;
            high = (uint)product;
            key += Weyl;
        }

        return ((ulong)high << 32) | low;
    }

    /// <summary>A number in [0, 1) with 24 random bits.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Uniform(ulong seed, ulong index) => (Bits(seed, index) >> 40) * (1f / (1 << 24));

    /// <summary>A number from the standard normal distribution (Box and Muller 1958).</summary>
    public static float Normal(ulong seed, ulong index)
    {
        ulong bits = Bits(seed, index);
        double radius = Math.Sqrt(-2 * Math.Log(((uint)bits + 1.0) / 4294967297.0));
        return (float)(radius * Math.Cos(2 * Math.PI * ((bits >> 32) / 4294967296.0)));
    }

    /// <summary>A seed of its own for part <paramref name="part"/> of what <paramref name="seed"/> governs (the finalizer of SplitMix64).</summary>
    public static ulong Mix(ulong seed, ulong part)
    {
        ulong z = seed + part * 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A seed of its own for a name, such as a weight's: the same on every run.</summary>
    public static ulong Mix(ulong seed, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        ulong hash = seed;
        foreach (char c in name)
        {
            hash = Mix(BitOperations.RotateLeft(hash, 5), c);
        }

        return hash;
    }
}
