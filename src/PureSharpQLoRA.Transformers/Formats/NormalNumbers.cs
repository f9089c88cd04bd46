using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>Fills memory with what <see cref="Philox.Normal"/> gives index by index, four indices at a time where the processor can.</summary>
internal static class NormalNumbers
{
    private const uint Multiplier = 0xD256D193;
    private const uint Weyl = 0x9E3779B9;
    private const int Rounds = 10;

    /// <summary>target[i] = deviation · Philox.Normal(seed, first + i), within the rounding of a float.</summary>
    public static void Fill(ulong seed, ulong first, float deviation, Span<float> target)
    {
        int done = 0;
        if (Avx2.IsSupported)
        {
            for (; done <= target.Length - Vector128<float>.Count; done += Vector128<float>.Count)
            {
                Avx.ConvertToVector128Single(Four(seed, first + (ulong)done) * deviation).CopyTo(target[done..]);
            }
        }

        for (; done < target.Length; done++)
        {
            target[done] = deviation * Philox.Normal(seed, first + (ulong)done);
        }
    }

    private static Vector256<double> Four(ulong seed, ulong first)
    {
        Vector256<ulong> index = Vector256.Create(first) + Vector256.Create(0UL, 1, 2, 3);
        Vector256<ulong> mask = Vector256.Create(0xFFFFFFFFUL);
        Vector256<ulong> low = index & mask, high = (index >>> 32) ^ Vector256.Create(seed >> 32);
        Vector256<uint> multiplier = Vector256.Create((ulong)Multiplier).AsUInt32();
        uint key = (uint)seed;
        for (int round = 0; round < Rounds; round++)
        {
            Vector256<ulong> product = Avx2.Multiply(multiplier, low.AsUInt32());
            low = (product >>> 32) ^ Vector256.Create((ulong)key) ^ high;
            high = product & mask;
            key += Weyl;
        }

        // Box and Muller, as Philox.Normal does.
        Vector256<double> radius = Vector256.Sqrt(Vector256.Log((ToDouble(low) + Vector256<double>.One) / Vector256.Create(4294967297.0)) * -2.0);
        return radius * Vector256.Cos(ToDouble(high) * (2 * Math.PI / 4294967296.0));
    }

    /// <summary>Whole numbers below 2^32 as doubles: their bits are put into the fraction of 2^52.</summary>
    private static Vector256<double> ToDouble(Vector256<ulong> values) =>
        (values | Vector256.Create(0x4330000000000000UL)).AsDouble() - Vector256.Create(4503599627370496.0);
}
