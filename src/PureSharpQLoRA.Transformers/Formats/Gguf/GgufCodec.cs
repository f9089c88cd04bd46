using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Transformers.Formats;

/// <summary>
/// Between fp32 and the tensor types of GGUF. The two quantised types store blocks of 32 values; with the largest absolute value m of a block,
/// Q8_0 keeps d = m / 127 and round(x / d) with halves away from zero, Q4_0 keeps d = M / -8, M being the value whose magnitude is m, and
/// min(15, floor(x / d + 8.5)), the first 16 codes in the low and the last 16 in the high halves of 16 bytes. d is kept in half precision, the codes are
/// made with the d before that. These are the definitions of ggml, and the codes are equal to those of its reference quantisers bit for bit.
/// </summary>
public static class GgufCodec
{
    private const int Block = 32;
    private const int HalfBlock = Block / 2;
    private const int ScaleBytes = 2;

    /// <summary>Encodes values.</summary>
    /// <param name="type">The type to store.</param>
    /// <param name="values">Whole blocks.</param>
    /// <param name="target">As many bytes as the blocks take.</param>
    /// <exception cref="ArgumentException">The lengths don't fit.</exception>
    public static void Encode(GgufTensorType type, ReadOnlySpan<float> values, Span<byte> target)
    {
        Check(type, values.Length, target.Length);
        switch (type)
        {
            case GgufTensorType.Float32:
                MemoryMarshal.AsBytes(values).CopyTo(target);
                break;
            case GgufTensorType.Float16:
                HalfPrecisionConvert.ToFloat16(values, MemoryMarshal.Cast<byte, ushort>(target));
                break;
            case GgufTensorType.BFloat16:
                HalfPrecisionConvert.ToBFloat16(values, MemoryMarshal.Cast<byte, ushort>(target));
                break;
            case GgufTensorType.Q80:
                for (int i = 0; i < values.Length / Block; i++)
                {
                    EncodeQ8(values.Slice(i * Block, Block), target.Slice(i * (ScaleBytes + Block), ScaleBytes + Block));
                }

                break;
            default:
                for (int i = 0; i < values.Length / Block; i++)
                {
                    EncodeQ4(values.Slice(i * Block, Block), target.Slice(i * (ScaleBytes + HalfBlock), ScaleBytes + HalfBlock));
                }

                break;
        }
    }

    /// <summary>Decodes values.</summary>
    /// <param name="type">The type that is stored.</param>
    /// <param name="source">Whole blocks.</param>
    /// <param name="target">As many values as the blocks hold.</param>
    /// <exception cref="ArgumentException">The lengths don't fit.</exception>
    public static void Decode(GgufTensorType type, ReadOnlySpan<byte> source, Span<float> target)
    {
        Check(type, target.Length, source.Length);
        switch (type)
        {
            case GgufTensorType.Float32:
                source.CopyTo(MemoryMarshal.AsBytes(target));
                break;
            case GgufTensorType.Float16:
                HalfPrecisionConvert.FromFloat16(MemoryMarshal.Cast<byte, ushort>(source), target);
                break;
            case GgufTensorType.BFloat16:
                HalfPrecisionConvert.FromBFloat16(MemoryMarshal.Cast<byte, ushort>(source), target);
                break;
            case GgufTensorType.Q80:
                for (int i = 0; i < target.Length / Block; i++)
                {
                    DecodeQ8(source.Slice(i * (ScaleBytes + Block), ScaleBytes + Block), target.Slice(i * Block, Block));
                }

                break;
            default:
                for (int i = 0; i < target.Length / Block; i++)
                {
                    DecodeQ4(source.Slice(i * (ScaleBytes + HalfBlock), ScaleBytes + HalfBlock), target.Slice(i * Block, Block));
                }

                break;
        }
    }

    private static void EncodeQ8(ReadOnlySpan<float> values, Span<byte> target)
    {
        Vector256<float> largest = Vector256<float>.Zero;
        for (int i = 0; i < Block; i += Vector256<float>.Count)
        {
            largest = Vector256.Max(largest, Vector256.Abs(Vector256.Create(values[i..])));
        }

        float scale = Largest(largest) / 127f, inverse = Inverse(scale);
        MemoryMarshal.Write(target, BitConverter.HalfToUInt16Bits((Half)scale));
        Vector256<float> half = Vector256.Create(0.5f);
        for (int i = 0; i < Block; i += Vector256<float>.Count)
        {
            Vector256<float> scaled = Vector256.Create(values[i..]) * inverse, whole = Vector256.Truncate(scaled);
            Vector256<float> away = Vector256.GreaterThanOrEqual(Vector256.Abs(scaled - whole), half) & Vector256.CopySign(Vector256<float>.One, scaled);
            Vector256<int> codes = Vector256.ConvertToInt32(whole + away);
            for (int j = 0; j < Vector256<int>.Count; j++)
            {
                target[ScaleBytes + i + j] = (byte)codes.GetElement(j);
            }
        }
    }

    private static void EncodeQ4(ReadOnlySpan<float> values, Span<byte> target)
    {
        float magnitude = 0, largest = 0;
        foreach (float value in values)
        {
            if (magnitude < Math.Abs(value))
            {
                (magnitude, largest) = (Math.Abs(value), value);
            }
        }

        float scale = largest / -8f, inverse = Inverse(scale);
        MemoryMarshal.Write(target, BitConverter.HalfToUInt16Bits((Half)scale));
        Vector256<int> most = Vector256.Create(15);
        Vector256<float> shift = Vector256.Create(8.5f);
        for (int i = 0; i < HalfBlock; i += Vector256<float>.Count)
        {
            Vector256<int> low = Vector256.Min(most, Vector256.ConvertToInt32((Vector256.Create(values[i..]) * inverse) + shift));
            Vector256<int> high = Vector256.Min(most, Vector256.ConvertToInt32((Vector256.Create(values[(HalfBlock + i)..]) * inverse) + shift));
            Vector256<int> both = low | (high << 4);
            for (int j = 0; j < Vector256<int>.Count; j++)
            {
                target[ScaleBytes + i + j] = (byte)both.GetElement(j);
            }
        }
    }

    private static void DecodeQ8(ReadOnlySpan<byte> source, Span<float> target)
    {
        Vector256<float> scale = Vector256.Create((float)BitConverter.UInt16BitsToHalf(MemoryMarshal.Read<ushort>(source)));
        ref byte codes = ref MemoryMarshal.GetReference(source[ScaleBytes..]);
        for (int i = 0; i < Block; i += Vector128<sbyte>.Count)
        {
            (Vector128<short> first, Vector128<short> second) = Vector128.Widen(Vector128.LoadUnsafe(ref codes, (nuint)i).AsSByte());
            Scale(first, scale, target[i..]);
            Scale(second, scale, target[(i + Vector128<short>.Count)..]);
        }
    }

    private static void DecodeQ4(ReadOnlySpan<byte> source, Span<float> target)
    {
        Vector256<float> scale = Vector256.Create((float)BitConverter.UInt16BitsToHalf(MemoryMarshal.Read<ushort>(source)));
        Vector128<byte> codes = Vector128.LoadUnsafe(ref MemoryMarshal.GetReference(source[ScaleBytes..]));
        Vector128<sbyte> eight = Vector128.Create((sbyte)8);
        Vector128<sbyte> low = (codes & Vector128.Create((byte)15)).AsSByte() - eight, high = (codes >>> 4).AsSByte() - eight;
        (Vector128<short> first, Vector128<short> second) = Vector128.Widen(low);
        Scale(first, scale, target);
        Scale(second, scale, target[Vector128<short>.Count..]);
        (first, second) = Vector128.Widen(high);
        Scale(first, scale, target[HalfBlock..]);
        Scale(second, scale, target[(HalfBlock + Vector128<short>.Count)..]);
    }

    private static void Scale(Vector128<short> codes, Vector256<float> scale, Span<float> target)
    {
        (Vector128<int> first, Vector128<int> second) = Vector128.Widen(codes);
        (Vector256.ConvertToSingle(Vector256.Create(first, second)) * scale).CopyTo(target);
    }

    private static float Largest(Vector256<float> values)
    {
        float largest = 0;
        for (int i = 0; i < Vector256<float>.Count; i++)
        {
            largest = Math.Max(largest, values.GetElement(i));
        }

        return largest;
    }

    /// <summary>1 / scale; 0 where that is infinite, as such a scale is 0 in half precision and every code decodes to 0.</summary>
    private static float Inverse(float scale)
    {
        float inverse = 1 / scale;
        return float.IsFinite(inverse) ? inverse : 0;
    }

    private static void Check(GgufTensorType type, int values, int bytes)
    {
        if (!type.IsSupported())
        {
            throw new ArgumentException($"Tensors of type {type} can be neither decoded nor encoded.", nameof(type));
        }

        if (values % type.BlockElements() != 0 || bytes != type.Bytes(values))
        {
            throw new ArgumentException($"{values} values of type {type.Name()} take {type.Bytes(values)} bytes in whole blocks, not {bytes}.", nameof(bytes));
        }
    }
}
