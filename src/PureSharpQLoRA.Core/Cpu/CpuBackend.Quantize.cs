using PureSharpQLoRA.Core.Quantization;

namespace PureSharpQLoRA.Core.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <summary>Elements that are quantised at a time; whole blocks.</summary>
    private const int QuantizedPiece = 1 << 16;

    /// <inheritdoc/>
    public void QuantizeNf4(Tensor source, Tensor codes)
    {
        const string Operation = "QuantizeNf4";
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(codes);
        ShapeException.ThrowIfNot(codes, source.Shape, Operation, "codes");
        ShapeException.ThrowIfNot(codes, DataType.Nf4, Operation, "codes");
        Tensor maxima = codes.Quantization?.AbsoluteMaxima ?? throw new ShapeException(Operation, "codes", "accompanied by absolute maxima", "without them");
        long count = source.Shape.Count;
        ShapeException.ThrowIfNot(maxima, new Shape(checked((int)Nf4Format.Blocks(count))), Operation, "the absolute maxima");
        if (source.DataType is not (DataType.Float32 or DataType.Float16 or DataType.BFloat16))
        {
            throw new ShapeException(Operation, "source", "Float32, Float16 or BFloat16", source.DataType.ToString());
        }

        void* values = Read(source);
        byte* target = (byte*)Write(codes);
        float* blocks = WriteFloats(maxima, Operation, "the absolute maxima");
        DataType type = source.DataType;
        Parallel.For(0L, (count + QuantizedPiece - 1) / QuantizedPiece, () => type == DataType.Float32 ? [] : new float[QuantizedPiece], (piece, _, converted) =>
        {
            long first = piece * QuantizedPiece;
            int length = (int)Math.Min(QuantizedPiece, count - first);
            Nf4Quantizer.Quantize(
                Floats(values, type, first, length, converted),
                new Span<byte>(target + (first / 2), (length + 1) / 2),
                new Span<float>(blocks + (first / Nf4Format.BlockSize), (int)Nf4Format.Blocks(length)));
            return converted;
        }, _ => { });
    }

    /// <summary>Elements of a weight in fp32: where they are, or converted.</summary>
    private static ReadOnlySpan<float> Floats(void* values, DataType type, long first, int length, float[] converted)
    {
        if (type == DataType.Float32)
        {
            return new ReadOnlySpan<float>((float*)values + first, length);
        }

        var halves = new ReadOnlySpan<ushort>((ushort*)values + first, length);
        if (type == DataType.BFloat16)
        {
            HalfPrecisionConvert.FromBFloat16(halves, converted.AsSpan(0, length));
        }
        else
        {
            HalfPrecisionConvert.FromFloat16(halves, converted.AsSpan(0, length));
        }

        return converted.AsSpan(0, length);
    }
}
