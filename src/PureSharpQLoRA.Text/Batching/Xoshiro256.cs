using System.Numerics;

namespace PureSharpQLoRA.Text;

/// <summary>A pseudo-random generator whose sequence never changes with the runtime: xoshiro256**, seeded by SplitMix64.</summary>
/// <remarks>Blackman and Vigna 2021, "Scrambled linear pseudorandom number generators".</remarks>
internal struct Xoshiro256
{
    private ulong _a, _b, _c, _d;

    /// <summary>A stream of its own for every pair of seed and stream number.</summary>
    public Xoshiro256(ulong seed, ulong stream)
    {
        ulong state = seed;
        state = SplitMix64(ref state) ^ stream;
        _a = SplitMix64(ref state);
        _b = SplitMix64(ref state);
        _c = SplitMix64(ref state);
        _d = SplitMix64(ref state);
    }

    public ulong Next()
    {
        ulong result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        ulong shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>Uniform in [0, <paramref name="bound"/>), without bias (Lemire 2019, "Fast random integer generation in an interval").</summary>
    public int Below(int bound)
    {
        ulong range = (ulong)bound;
        ulong high = Math.BigMul(Next(), range, out ulong low);
        if (low < range)
        {
            ulong threshold = (0 - range) % range;
            while (low < threshold)
            {
                high = Math.BigMul(Next(), range, out low);
            }
        }

        return (int)high;
    }

    private static ulong SplitMix64(ref ulong state)
    {
        ulong mixed = state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return mixed ^ (mixed >> 31);
    }
}
