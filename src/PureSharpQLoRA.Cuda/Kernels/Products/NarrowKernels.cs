using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Products;

/// <summary>Copies of operands in 16 bits, as tensor cores take them.</summary>
internal static class NarrowKernels
{
    public const int Threads = 256;

    /// <summary>to [rows, paddedColumns] = from [rows, columns], with zeros behind. Grid: ceil(rows * paddedColumns / 256).</summary>
    public static void Pad<TFrom, TTo>(ArrayView<TFrom> from, ArrayView<TTo> to, int count, int columns, int paddedColumns)
        where TFrom : unmanaged, IElement<TFrom>
        where TTo : unmanaged, IElement<TTo>
    {
        int i = Grid.IdxX * Threads + Group.IdxX;
        if (i < count)
        {
            int row = (int)((uint)i / (uint)paddedColumns), column = i - row * paddedColumns;
            float value = 0;
            if (column < columns)
            {
                value = TFrom.ToFloat(from[row * columns + column]);
            }

            to[i] = TTo.FromFloat(value);
        }
    }

    /// <summary>
    /// Rows of fp32 as fp16, each scaled by a power of two so that its largest element is in [2^14, 2^15): gradients of logits keep the range of fp32
    /// whatever the loss scale. scales[row] takes the scale back; what is not finite stays so. Rows are followed by zeros as in
    /// <see cref="Pad{TFrom, TTo}"/>. Grid: rows.
    /// </summary>
    public static void ScaleRows(ArrayView<float> from, ArrayView<HalfElement> to, ArrayView<float> scales, int columns, int paddedColumns)
    {
        ArrayView<float> maxima = SharedMemory.Allocate<float>(Threads);
        int thread = Group.IdxX, first = Grid.IdxX * columns, firstPadded = Grid.IdxX * paddedColumns;
        float largest = 0;
        for (int column = thread; column < columns; column += Threads)
        {
            largest = Ptx.Max(largest, Interop.IntAsFloat((uint)Interop.FloatAsInt(from[first + column]) & 0x7FFFFFFF));
        }

        maxima[thread] = largest;
        for (int distance = Threads / 2; distance > 0; distance >>= 1)
        {
            Group.Barrier();
            if (thread < distance)
            {
                maxima[thread] = Ptx.Max(maxima[thread], maxima[thread + distance]);
            }
        }

        Group.Barrier();
        // The exponent as it is stored, kept where both scales are normal numbers.
        int exponent = IntrinsicMath.Max((int)((uint)Interop.FloatAsInt(maxima[0]) >> 23), 15);
        float scale = Interop.IntAsFloat((uint)(268 - exponent) << 23);
        for (int column = thread; column < paddedColumns; column += Threads)
        {
            float value = 0;
            if (column < columns)
            {
                value = from[first + column] * scale;
            }

            to[firstPadded + column] = HalfElement.FromFloat(value);
        }

        if (thread == 0)
        {
            scales[Grid.IdxX] = Interop.IntAsFloat((uint)(exponent - 14) << 23);
        }
    }
}
