using System.Runtime.CompilerServices;
using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Elements;

namespace PureSharpQLoRA.Cuda.Kernels.Nf4;

/// <summary>How a product writes its result.</summary>
internal interface IOutput<TSelf>
    where TSelf : struct, IOutput<TSelf>
{
    /// <summary>Writes eight neighbouring elements, or adds them to what is there.</summary>
    /// <param name="output">The result, row-major.</param>
    /// <param name="index">Of the first element.</param>
    /// <param name="values">The eight.</param>
    /// <param name="count">How many of them exist; 8 or more: all.</param>
    /// <param name="accumulate">Not 0: adds.</param>
    static abstract void Store(TSelf output, int index, Eight values, int count, int accumulate);
}

/// <summary>A result whose rows are groups of eight at multiples of 16 bytes.</summary>
internal struct AlignedOutput<TVector> : IOutput<AlignedOutput<TVector>>
    where TVector : struct, IVector
{
    public ArrayView<U4> Values;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(AlignedOutput<TVector> output, int index, Eight values, int count, int accumulate)
    {
        Eight sum = values;
        if (accumulate != 0)
        {
            sum = Eight.Add(values, TVector.Load(output.Values, index >> 3));
        }

        TVector.Store(output.Values, index >> 3, sum);
    }
}

/// <summary>A result of any width, anywhere.</summary>
internal struct AnyOutput<TElement> : IOutput<AnyOutput<TElement>>
    where TElement : unmanaged, IElement<TElement>
{
    public ArrayView<TElement> Values;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(AnyOutput<TElement> output, int index, Eight values, int count, int accumulate)
    {
        StoreIf(output, index, values.A.X, count, accumulate);
        StoreIf(output, index + 1, values.A.Y, count - 1, accumulate);
        StoreIf(output, index + 2, values.A.Z, count - 2, accumulate);
        StoreIf(output, index + 3, values.A.W, count - 3, accumulate);
        StoreIf(output, index + 4, values.B.X, count - 4, accumulate);
        StoreIf(output, index + 5, values.B.Y, count - 5, accumulate);
        StoreIf(output, index + 6, values.B.Z, count - 6, accumulate);
        StoreIf(output, index + 7, values.B.W, count - 7, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreIf(AnyOutput<TElement> output, int index, float value, int count, int accumulate)
    {
        if (count > 0)
        {
            float sum = value;
            if (accumulate != 0)
            {
                sum += TElement.ToFloat(output.Values[index]);
            }

            output.Values[index] = TElement.FromFloat(sum);
        }
    }
}
