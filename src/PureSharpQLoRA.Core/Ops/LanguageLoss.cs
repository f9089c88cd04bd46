namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>
    /// Cross-entropy of rows of logits: losses[i] = log(sum(exp(logits[i, :]))) - logits[i, labels[i]], or 0 where the label is negative. With a
    /// non-zero <paramref name="gradientScale"/> the logits are replaced by gradientScale * (softmax - one-hot), or 0 where the label is negative.
    /// </summary>
    /// <param name="logits">[tokens, vocabulary] fp32.</param>
    /// <param name="labels">[tokens], negative to ignore.</param>
    /// <param name="losses">[tokens] fp32.</param>
    /// <param name="gradientScale">Factor of the gradient, 0 for none.</param>
    void CrossEntropy(Tensor logits, ReadOnlySpan<int> labels, Tensor losses, float gradientScale);
}

/// <summary>Head and loss of a language model together.</summary>
public static class LanguageLossOps
{
    private const int SmallestChunk = 16;

    /// <summary>
    /// The summed cross-entropy of hidden states against labels. Works through the tokens in chunks whose logits stay in cache, and computes
    /// the gradient in the same pass, so that the logits of a whole batch never exist. Logits are fp32 whatever the activation type: the
    /// exponentials and small probabilities of a large vocabulary need its range.
    /// </summary>
    /// <param name="tape">The tape.</param>
    /// <param name="hidden">[tokens, width].</param>
    /// <param name="weight">[vocabulary, width], the head.</param>
    /// <param name="labels">[tokens]: the id to predict at each token, negative to ignore.</param>
    /// <param name="gradientScale">The gradient is that of gradientScale * sum: 1 / (targets of the whole optimizer step).</param>
    /// <param name="total">[2] fp32, gets the sum of the losses added, not scaled: see <see cref="IBackend.AddSum"/>.</param>
    public static void LanguageLoss(this Tape tape, Tensor hidden, Tensor weight, ReadOnlySpan<int> labels, float gradientScale, Tensor total)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(hidden);
        ArgumentNullException.ThrowIfNull(weight);
        ShapeException.ThrowIfColumnsNot(hidden, weight.Shape.Columns, "LanguageLoss", "hidden");
        int tokens = hidden.Shape.Rows, vocabulary = weight.Shape[0];
        if (labels.Length != tokens)
        {
            throw new ShapeException("LanguageLoss", "labels", $"[{tokens}]", $"[{labels.Length}]");
        }

        bool gradient = tape.IsRecording && (hidden.RequiresGradient || weight.RequiresGradient);
        int chunk = ChunkTokens(tokens, vocabulary, tape.Backend.SharesHostMemory);
        Tensor logits = tape.NewTensor(new Shape(chunk, vocabulary), DataType.Float32);
        Tensor? dHidden = gradient && hidden.RequiresGradient ? tape.GradientFor(hidden, out _) : null;
        Tensor losses = tape.NewTensor(new Shape(tokens, 1), DataType.Float32);
        for (int first = 0; first < tokens; first += chunk)
        {
            int count = Math.Min(chunk, tokens - first);
            ReadOnlySpan<int> chunkLabels = labels.Slice(first, count);
            if (chunkLabels.IndexOfAnyInRange(0, int.MaxValue) < 0)
            {
                ClearRows(tape, losses, first, count);
                ClearRows(tape, dHidden, first, count);
                continue;
            }

            Tensor chunkLogits = tape.Rows(logits, 0, count), chunkHidden = tape.Rows(hidden, first, count);
            Tensor chunkLosses = tape.Rows(losses, first, count);
            tape.Backend.MatMulTransposed(chunkHidden, weight, chunkLogits);
            tape.Backend.CrossEntropy(chunkLogits, chunkLabels, chunkLosses, gradient ? gradientScale : 0);
            if (gradient)
            {
                Backward(tape, chunkLogits, chunkHidden, weight, dHidden, first, count);
            }

            chunkLogits.ReleaseMemory();
            chunkHidden.ReleaseMemory();
            chunkLosses.ReleaseMemory();
        }

        logits.ReleaseMemory();
        tape.Backend.AddSum(losses, total);
        losses.ReleaseMemory();
    }

    /// <summary>
    /// How many tokens have their logits computed at a time. On a processor few enough for its caches; on a card, which reads the head from its memory for each
    /// chunk, so many that its arithmetic takes longer than that.
    /// </summary>
    internal static int ChunkTokens(int tokens, int vocabulary, bool onProcessor)
    {
        (long bytes, int largest) = onProcessor ? (32L << 20, 512) : (128L << 20, 4096);
        long fitting = bytes / (sizeof(float) * (long)vocabulary) / SmallestChunk * SmallestChunk;
        return Math.Min(tokens, (int)Math.Clamp(fitting, SmallestChunk, largest));
    }

    private static void Backward(Tape tape, Tensor dLogits, Tensor hidden, Tensor weight, Tensor? dHidden, int first, int count)
    {
        if (dHidden is not null)
        {
            Tensor rows = tape.Rows(dHidden, first, count);
            tape.Backend.MatMul(dLogits, weight, rows);
            rows.ReleaseMemory();
        }

        if (weight.RequiresGradient)
        {
            Tensor target = tape.GradientFor(weight, out bool accumulate);
            tape.Backend.MatMulGradient(dLogits, hidden, target, accumulate);
        }
    }

    private static void ClearRows(Tape tape, Tensor? tensor, int first, int count)
    {
        if (tensor is not null)
        {
            Tensor rows = tape.Rows(tensor, first, count);
            tape.Backend.Fill(rows, 0);
            rows.ReleaseMemory();
        }
    }
}
