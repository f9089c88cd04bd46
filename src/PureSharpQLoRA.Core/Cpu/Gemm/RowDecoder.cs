using System.Runtime.Intrinsics;

namespace PureSharpQLoRA.Core.Cpu.Gemm;

/// <summary>Any run of a stored row as fp32, whatever the type, width and alignment: the general way by which every shape is packed.</summary>
internal static unsafe class RowDecoder
{
    /// <summary>Floats that may be written behind the run.</summary>
    public const int Overrun = 16;

    /// <summary>Decodes <paramref name="count"/> elements of a row.</summary>
    public static void Decode(in RightOperand matrix, int row, int column, int count, float* to)
    {
        long flat = (long)row * matrix.Columns + column;
        switch (matrix.Type)
        {
            case DataType.Float32:
                new ReadOnlySpan<float>((float*)matrix.Values + flat, count).CopyTo(new Span<float>(to, count));
                break;
            case DataType.BFloat16:
                WidenBf16((ushort*)matrix.Values + flat, count, to);
                break;
            case DataType.Float16:
                WidenHalf((ushort*)matrix.Values + flat, count, to);
                break;
            default:
                Nf4Codes.DecodeRun(matrix.Values, matrix.Scales, flat, count, (long)matrix.Rows * matrix.Columns, to);
                break;
        }
    }

    private static void WidenBf16(ushort* from, int count, float* to)
    {
        int done = 0;
        for (; Vector256.IsHardwareAccelerated && done + 8 <= count; done += 8)
        {
            Bf16.Widen8(from + done).Store(to + done);
        }

        for (; done < count; done++)
        {
            to[done] = Bf16.Widen(from[done]);
        }
    }

    private static void WidenHalf(ushort* from, int count, float* to)
    {
        int done = 0;
        for (; Vector256.IsHardwareAccelerated && done + 8 <= count; done += 8)
        {
            Bf16.WidenHalf8(from + done).Store(to + done);
        }

        for (; done < count; done++)
        {
            to[done] = (float)BitConverter.UInt16BitsToHalf(from[done]);
        }
    }
}
