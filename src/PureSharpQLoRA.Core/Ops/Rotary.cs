namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>
    /// Rotates, in place, each pair (i, i + size/2) of every head by the angle of its position: the half-split form of Hugging Face.
    /// </summary>
    /// <param name="x">[tokens, heads * size], activation type.</param>
    /// <param name="cosines">[positions, size / 2] fp32.</param>
    /// <param name="sines">[positions, size / 2] fp32.</param>
    /// <param name="positions">[tokens], rows of the tables.</param>
    /// <param name="headSize">Values per head.</param>
    /// <param name="inverse">Rotates back.</param>
    void Rotate(Tensor x, Tensor cosines, Tensor sines, ReadOnlySpan<int> positions, int headSize, bool inverse);
}

/// <summary>Rotary position embedding (Su et al. 2021, arXiv:2104.09864).</summary>
public static class RotaryOps
{
    /// <summary>Rotates queries or keys by their positions. Works in the memory of <paramref name="x"/>, which is spent.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[tokens, heads * headSize], spent.</param>
    /// <param name="cosines">[positions, headSize / 2].</param>
    /// <param name="sines">[positions, headSize / 2].</param>
    /// <param name="layout">Gives the position of each token.</param>
    /// <param name="headSize">Values per head.</param>
    public static Tensor Rotary(this Tape tape, Tensor x, Tensor cosines, Tensor sines, SequenceLayout layout, int headSize)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(layout);
        if (x.Shape.Rows != layout.Tokens || x.Shape.Columns % headSize != 0)
        {
            throw new ShapeException("Rotary", "x", $"[{layout.Tokens}, a multiple of {headSize}]", x.Shape.ToString());
        }

        if (layout.LongestDocument > cosines?.Shape.Rows)
        {
            throw new ShapeException("Rotary", "the longest document", $"at most {cosines.Shape.Rows} tokens (max_position_embeddings)", $"{layout.LongestDocument} tokens");
        }

        Tensor y = tape.TakeOver(x);
        tape.Backend.Rotate(y, cosines!, sines, layout.Positions, headSize, inverse: false);
        if (tape.IsRecording && x.RequiresGradient)
        {
            RotaryNode node = tape.NewNode<RotaryNode>();
            node.Set(x, cosines!, sines, layout, headSize);
            tape.Record(node, y);
        }

        return y;
    }

    private sealed class RotaryNode : TapeNode
    {
        private Tensor? _x;
        private Tensor? _cosines;
        private Tensor? _sines;
        private SequenceLayout? _layout;
        private int _headSize;

        public void Set(Tensor x, Tensor cosines, Tensor sines, SequenceLayout layout, int headSize) =>
            (_x, _cosines, _sines, _layout, _headSize) = (x, cosines, sines, layout, headSize);

        protected internal override void Backward(Tape tape)
        {
            // The result's gradient has no other reader: turn it back where it lies.
            Tensor gradient = tape.OwnGradientOf(Output);
            tape.Backend.Rotate(gradient, _cosines!, _sines!, _layout!.Positions, _headSize, inverse: true);
            tape.PassGradient(gradient, _x!);
        }

        protected internal override void Clear() => (_x, _cosines, _sines, _layout) = (null, null, null, null);
    }
}
