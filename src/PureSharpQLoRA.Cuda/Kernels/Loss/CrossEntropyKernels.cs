using ILGPU;
using PureSharpQLoRA.Cuda.Intrinsics;
using PureSharpQLoRA.Cuda.Kernels.Reductions;

namespace PureSharpQLoRA.Cuda.Kernels.Loss;

/// <summary>
/// Softmax cross-entropy over rows of fp32 logits; a block owns a row. The first pass reads the row once (maximum and sum together), the second
/// reads it again and writes the gradient: three times the row's bytes, since a row of 128,256 logits fits in no multiprocessor. No logit
/// that is not a number escapes: it makes the sum, the loss and the whole row's gradient NaN.
/// </summary>
internal static class CrossEntropyKernels
{
    public const int Threads = 512;

    private const float Ln2 = 0.693147181f;

    /// <summary>
    /// losses[row] = log(sum(exp(logits[row]))) - logits[row, label], or 0 where the label is negative; with a scale that is not 0
    /// logits := scale * (softmax - one-hot), or 0 where the label is negative. Grid: rows.
    /// </summary>
    /// <param name="logits">[rows, pieces] pieces.</param>
    /// <param name="values">The same memory by its elements.</param>
    /// <param name="labels">[rows].</param>
    /// <param name="losses">[rows].</param>
    /// <param name="pieces">Pieces in a row.</param>
    /// <param name="scale">Factor of the gradient, 0 for none.</param>
    public static void Rows<TPiece, TLogits>(ArrayView<TPiece> logits, ArrayView<float> values, ArrayView<int> labels, ArrayView<float> losses, int pieces, float scale)
        where TPiece : unmanaged
        where TLogits : struct, ILogits<TPiece>
    {
        ArrayView<float> partial = SharedMemory.Allocate<float>(BlockReduction.SharedFloats);
        int row = Grid.IdxX, thread = Group.IdxX, label = Ptx.Pin(labels[row]);
        long start = (long)row * pieces;
        if (label < 0)
        {
            if (scale != 0)
            {
                for (int i = thread; i < pieces; i += Threads)
                {
                    logits[start + i] = default;
                }
            }

            if (thread == 0)
            {
                losses[row] = 0;
            }

            return;
        }

        var softmax = new RunningSoftmax { Maximum = float.NegativeInfinity, Sum = 0 };
        for (int i = thread; i < pieces; i += Threads)
        {
            softmax = TLogits.Add(softmax, logits[start + i]);
        }

        float maximum = BlockReduction.Max(softmax.Maximum, partial);
        float sum = BlockReduction.Sum(softmax.Sum * RunningSoftmax.Power(softmax.Maximum, maximum), partial);
        if (thread == 0)
        {
            float chosen = values[start * TLogits.Width + label];
            losses[row] = Ptx.MultiplyAdd(Ptx.Log2(sum), Ln2, maximum - chosen);
        }

        if (scale == 0)
        {
            return;
        }

        // The chosen logit was read above, and is overwritten below.
        Group.Barrier();
        float factor = Ptx.Divide(scale, sum);
        for (int i = thread; i < pieces; i += Threads)
        {
            logits[start + i] = TLogits.Gradient(logits[start + i], maximum, factor, label - i * TLogits.Width, scale);
        }
    }
}
