using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Cuda.Kernels.Optimizer;

/// <summary>The values of the dynamic 8-bit data type: a sign, a unary exponent and a linear fraction (Dettmers 2015, arXiv:1511.04561).</summary>
internal static class DynamicMap
{
    private const int Exponents = 7;

    private static readonly float[] Both = [.. Create(signed: true), .. Create(signed: false)];

    /// <summary>The bits of the signed map's 256 values in ascending order, then of the unsigned map's.</summary>
    public static ReadOnlySpan<int> Bits => MemoryMarshal.Cast<float, int>(Both);

    /// <summary>256 values in ascending order.</summary>
    public static float[] Create(bool signed)
    {
        var values = new List<double> { 0, 1 };
        for (int exponent = 0; exponent < Exponents; exponent++)
        {
            // The middles of equal parts of [0.1, 1], so many that signs, exponents and fractions fill eight bits.
            int parts = signed ? 1 << exponent : 1 << (exponent + 1);
            for (int part = 0; part < parts; part++)
            {
                double low = 0.1 + (0.9 * part / parts), high = 0.1 + (0.9 * (part + 1) / parts);
                double value = Math.Pow(10, exponent - (Exponents - 1)) * (low + high) / 2;
                values.Add(value);
                if (signed)
                {
                    values.Add(-value);
                }
            }
        }

        values.Sort();
        return [.. values.Select(value => (float)value)];
    }
}
