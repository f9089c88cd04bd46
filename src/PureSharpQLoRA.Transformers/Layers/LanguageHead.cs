using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>From hidden states to the vocabulary: loss in training, logits in generation.</summary>
public sealed class LanguageHead : Module
{
    internal LanguageHead(Tensor weight) => Weight = weight;

    /// <summary>[vocabulary, width]; the embedding's own weight where they are tied.</summary>
    public Tensor Weight { get; }

    /// <summary>The summed cross-entropy against labels, and its gradient; full logits never exist. See <see cref="LanguageLossOps.LanguageLoss"/>.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="hidden">[tokens, width].</param>
    /// <param name="labels">[tokens]: the id to predict at each token, negative to ignore.</param>
    /// <param name="gradientScale">1 / (targets of the whole optimizer step).</param>
    /// <param name="total">[2] fp32, gets the sum added: see <see cref="IBackend.AddSum"/>.</param>
    public void Loss(Tape tape, Tensor hidden, ReadOnlySpan<int> labels, float gradientScale, Tensor total)
    {
        ArgumentNullException.ThrowIfNull(tape);
        tape.LanguageLoss(hidden, Weight, labels, gradientScale, total);
    }

    /// <summary>Logits [rows, vocabulary] in fp32 of some rows of hidden states.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="hidden">[tokens, width].</param>
    /// <param name="firstRow">The first row wanted.</param>
    /// <param name="rows">How many.</param>
    public Tensor Logits(Tape tape, Tensor hidden, int firstRow, int rows)
    {
        ArgumentNullException.ThrowIfNull(tape);
        Tensor logits = tape.NewTensor(new Shape(rows, Weight.Shape[0]), DataType.Float32);
        tape.Backend.MatMulTransposed(tape.Rows(hidden, firstRow, rows), Weight, logits);
        return logits;
    }
}
