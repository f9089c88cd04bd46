namespace PureSharpQLoRA.Core.Quantization;

/// <summary>
/// The values of bitsandbytes' dynamic 8-bit codes: a unary exponent of ten and a fraction, with or without a sign (Dettmers 2016,
/// arXiv:1511.04561). Bit for bit as bitsandbytes computes them.
/// </summary>
public static class DynamicMap
{
    private static readonly float[] SignedValues = Create(signed: true);
    private static readonly float[] UnsignedValues = Create(signed: false);

    /// <summary>The 256 values in [-1, 1], ascending.</summary>
    public static ReadOnlySpan<float> Signed => SignedValues;

    /// <summary>The 256 values in [0, 1], ascending.</summary>
    public static ReadOnlySpan<float> Unsigned => UnsignedValues;

    /// <summary>Seven decades down from 1, each cut twice as finely as the one below; and 0 and 1.</summary>
    private static float[] Create(bool signed)
    {
        const int Decades = 7;
        var map = new List<float>(256) { 0, 1 };
        for (int decade = 0; decade < Decades; decade++)
        {
            int items = signed ? 1 << decade : 2 << decade;
            float step = (1f - 0.1f) / items;
            float power = (float)Math.Pow(10, decade - (Decades - 1));
            for (int i = 0; i < items; i++)
            {
                float mean = (Boundary(i) + Boundary(i + 1)) / 2;
                map.Add(power * mean);
                if (signed)
                {
                    map.Add(-power * mean);
                }
            }

            // Counted from the nearer end and rounded once, as PyTorch's linspace does.
            float Boundary(int i) => i < (items + 1) / 2 ? MathF.FusedMultiplyAdd(step, i, 0.1f) : MathF.FusedMultiplyAdd(-step, items - i, 1f);
        }

        map.Sort();
        return [.. map];
    }
}
