namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>
    /// Each group of <c>weight.Columns</c> values of x, divided by the root of its mean square plus <paramref name="epsilon"/>, times the weight. Computed in fp32.
    /// </summary>
    /// <param name="x">[tokens, groups * size], activation type.</param>
    /// <param name="weight">[size] fp32.</param>
    /// <param name="y">As x.</param>
    /// <param name="epsilon">Added to the mean square.</param>
    void RmsNorm(Tensor x, Tensor weight, Tensor y, float epsilon);

    /// <summary>The gradients of <see cref="RmsNorm"/>: dx (+)= ..., and dweight (+)= ... where wanted. All in the activation type, weight and dweight fp32.</summary>
    void RmsNormBackward(Tensor x, Tensor weight, Tensor dy, float epsilon, Tensor? dx, bool accumulateX, Tensor? dWeight, bool accumulateWeight);
}

/// <summary>Root mean square normalisation (Zhang and Sennrich 2019, arXiv:1910.07467).</summary>
public static class RmsNormOps
{
    /// <summary>x / sqrt(mean(x²) + epsilon) * weight, over groups of as many values as the weight has.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[tokens, groups * size].</param>
    /// <param name="weight">[size].</param>
    /// <param name="epsilon">Added to the mean square.</param>
    public static Tensor RmsNorm(this Tape tape, Tensor x, Tensor weight, float epsilon)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        int size = weight.Shape.Columns;
        if (size == 0 || x.Shape.Columns % size != 0)
        {
            throw new ShapeException("RmsNorm", "x", $"[..., a multiple of {size}]", x.Shape.ToString());
        }

        Tensor y = tape.NewTensor(x.Shape);
        tape.Backend.RmsNorm(x, weight, y, epsilon);
        if (tape.IsRecording && (x.RequiresGradient || weight.RequiresGradient))
        {
            RmsNormNode node = tape.NewNode<RmsNormNode>();
            node.Set(x, weight, epsilon);
            tape.Record(node, y);
        }

        return y;
    }

    private sealed class RmsNormNode : TapeNode
    {
        private Tensor? _x;
        private Tensor? _weight;
        private float _epsilon;

        protected internal override bool CanRecompute => true;

        public void Set(Tensor x, Tensor weight, float epsilon) => (_x, _weight, _epsilon) = (x, weight, epsilon);

        protected internal override void Recompute(Tape tape) => tape.Backend.RmsNorm(tape.Saved(_x!), _weight!, Output, _epsilon);

        protected internal override void Backward(Tape tape)
        {
            Tensor gradient = Tape.GradientOf(Output)!;
            Tensor x = tape.Saved(_x!), weight = _weight!;
            bool accumulateX = false, accumulateWeight = false;
            Tensor? dx = x.RequiresGradient ? tape.GradientFor(x, out accumulateX) : null;
            Tensor? dWeight = weight.RequiresGradient ? tape.GradientFor(weight, out accumulateWeight) : null;
            tape.Backend.RmsNormBackward(x, weight, gradient, _epsilon, dx, accumulateX, dWeight, accumulateWeight);
        }

        protected internal override void Clear() => (_x, _weight) = (null, null);
    }
}
