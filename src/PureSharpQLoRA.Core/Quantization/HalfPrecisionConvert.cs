using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PureSharpQLoRA.Core.Quantization;

/// <summary>
/// Converts spans between fp32 and the two 16-bit types, given as raw bits. Narrowing rounds to the nearest, ties to even; what is too large
/// becomes infinite, and NaN stays NaN (made quiet). Thread-safe; never allocates.
/// </summary>
public static class HalfPrecisionConvert
{
    /// <summary>bfloat16 to fp32, exact.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void FromBFloat16(ReadOnlySpan<ushort> source, Span<float> target)
    {
        CheckLengths(source.Length, target.Length);
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out Vector<uint> low, out Vector<uint> high);
            (low << 16).As<uint, float>().StoreUnsafe(ref to, (nuint)i);
            (high << 16).As<uint, float>().StoreUnsafe(ref to, (nuint)(i + Vector<float>.Count));
        }

        for (; i < source.Length; i++)
        {
            target[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }

    /// <summary>fp32 to bfloat16.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void ToBFloat16(ReadOnlySpan<float> source, Span<ushort> target)
    {
        CheckLengths(source.Length, target.Length);
        ref float from = ref MemoryMarshal.GetReference(source);
        ref ushort to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector<uint> low = RoundToBFloat16(Vector.LoadUnsafe(ref from, (nuint)i).As<float, uint>());
            Vector<uint> high = RoundToBFloat16(Vector.LoadUnsafe(ref from, (nuint)(i + Vector<float>.Count)).As<float, uint>());
            Vector.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(source[i]);
            target[i] = (ushort)(float.IsNaN(source[i]) ? (bits >> 16) | 0x40 : (bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
        }
    }

    /// <summary>fp16 to fp32, exact.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void FromFloat16(ReadOnlySpan<ushort> source, Span<float> target)
    {
        CheckLengths(source.Length, target.Length);
        ref ushort from = ref MemoryMarshal.GetReference(source);
        ref float to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out Vector<uint> low, out Vector<uint> high);
            WidenFloat16(low).As<uint, float>().StoreUnsafe(ref to, (nuint)i);
            WidenFloat16(high).As<uint, float>().StoreUnsafe(ref to, (nuint)(i + Vector<float>.Count));
        }

        for (; i < source.Length; i++)
        {
            target[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        }
    }

    /// <summary>fp32 to fp16.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void ToFloat16(ReadOnlySpan<float> source, Span<ushort> target)
    {
        CheckLengths(source.Length, target.Length);
        ref float from = ref MemoryMarshal.GetReference(source);
        ref ushort to = ref MemoryMarshal.GetReference(target);
        int i = 0;
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector<uint> low = RoundToFloat16(Vector.LoadUnsafe(ref from, (nuint)i).As<float, uint>());
            Vector<uint> high = RoundToFloat16(Vector.LoadUnsafe(ref from, (nuint)(i + Vector<float>.Count)).As<float, uint>());
            Vector.Narrow(low, high).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
        {
            target[i] = BitConverter.HalfToUInt16Bits((Half)source[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> RoundToBFloat16(Vector<uint> bits)
    {
        Vector<uint> rounded = (bits + new Vector<uint>(0x7fff) + ((bits >> 16) & Vector<uint>.One)) >> 16;
        Vector<uint> quiet = (bits >> 16) | new Vector<uint>(0x40);
        Vector<uint> isNaN = Vector.GreaterThan(bits & new Vector<uint>(0x7fffffff), new Vector<uint>(0x7f800000));
        return Vector.ConditionalSelect(isNaN, quiet, rounded);
    }

    /// <summary>Places exponent and fraction, and corrects the exponent's bias by a product, which makes subnormal numbers normal on the way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> WidenFloat16(Vector<uint> half)
    {
        Vector<uint> placed = (half & new Vector<uint>(0x7fff)) << 13;
        Vector<uint> scaled = (placed.As<uint, float>() * new Vector<float>(BitConverter.UInt32BitsToSingle((127 + 112) << 23))).As<float, uint>();
        Vector<uint> isInfiniteOrNaN = Vector.GreaterThan(placed, new Vector<uint>((0x7c00 << 13) - 1));
        Vector<uint> isNaN = Vector.GreaterThan(placed, new Vector<uint>(0x7c00 << 13));
        Vector<uint> special = placed | new Vector<uint>(0x7f800000) | (isNaN & new Vector<uint>(0x400000));
        return Vector.ConditionalSelect(isInfiniteOrNaN, special, scaled) | ((half & new Vector<uint>(0x8000)) << 16);
    }

    /// <summary>Three cases by magnitude: infinite or NaN; rounded in the integer; below 2^-14 rounded by adding a number whose last bit is fp16's.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> RoundToFloat16(Vector<uint> bits)
    {
        Vector<uint> magnitude = bits & new Vector<uint>(0x7fffffff);
        Vector<uint> normal = (magnitude + new Vector<uint>(unchecked((uint)((15 - 127) << 23)) + 0xfff) + ((magnitude >> 13) & Vector<uint>.One)) >> 13;
        var half = new Vector<float>(0.5f);
        Vector<uint> subnormal = (magnitude.As<uint, float>() + half).As<float, uint>() - half.As<float, uint>();
        Vector<uint> finite = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<uint>(0x38800000)), subnormal, normal);
        Vector<uint> isNaN = Vector.GreaterThan(magnitude, new Vector<uint>(0x7f800000));
        Vector<uint> special = new Vector<uint>(0x7c00) | (isNaN & (new Vector<uint>(0x200) | ((magnitude >> 13) & new Vector<uint>(0x3ff))));
        Vector<uint> isLarge = Vector.GreaterThan(magnitude, new Vector<uint>(0x47800000 - 1));
        return Vector.ConditionalSelect(isLarge, special, finite) | ((bits >> 16) & new Vector<uint>(0x8000));
    }

    private static void CheckLengths(int source, int target)
    {
        if (source != target)
        {
            throw new ArgumentException($"Source and target have {source} and {target} elements; they must be as long.", nameof(target));
        }
    }
}
