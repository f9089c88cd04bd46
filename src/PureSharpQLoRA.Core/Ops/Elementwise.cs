namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>Sets every element of a tensor in fp32 or the activation type.</summary>
    void Fill(Tensor x, float value);

    /// <summary>Copies as many elements, converting between fp32, fp16 and bf16 (to nearest, ties to even).</summary>
    void Copy(Tensor from, Tensor to);

    /// <summary>y = a + b, all in the activation type. The result may be one of the operands.</summary>
    void Add(Tensor a, Tensor b, Tensor y);

    /// <summary>y += scale * x, both in the activation type.</summary>
    void AddScaled(Tensor x, float scale, Tensor y);

    /// <summary>Adds the sum of an fp32 tensor to a running total, without a word to the host. The same bits every time.</summary>
    /// <param name="x">What is summed, in double.</param>
    /// <param name="total">
    /// [2] fp32: the total is the sum of its two elements, the first being the total rounded to fp32 and the second what is missing (48 bits together).
    /// </param>
    void AddSum(Tensor x, Tensor total);
}

/// <summary>Sums.</summary>
public static class ElementwiseOps
{
    /// <summary>The elements of a total that <see cref="IBackend.AddSum"/> adds to.</summary>
    public static readonly Shape TotalShape = new(2);

    /// <summary>Reads a total that <see cref="IBackend.AddSum"/> has added to; waits for the device.</summary>
    public static double ReadTotal(this IBackend backend, Tensor total)
    {
        Span<float> parts = stackalloc float[2];
        backend.Download(total, parts);
        return (double)parts[0] + parts[1];
    }

    /// <summary>x + branch: a residual connection. The memory of <paramref name="branch"/> becomes the sum's, so the branch is spent.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[tokens, width], kept.</param>
    /// <param name="branch">[tokens, width], spent.</param>
    public static Tensor Residual(this Tape tape, Tensor x, Tensor branch)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(branch);
        ShapeException.ThrowIfNot(x, branch.Shape, "Residual", "x");
        Tensor y;
        if (branch.IsMaterialized)
        {
            y = tape.TakeOver(branch);
            tape.Backend.Add(x, y, y);
        }
        else
        {
            y = tape.NewUnread(branch.Shape);
        }

        if (tape.IsRecording && (x.RequiresGradient || branch.RequiresGradient))
        {
            ResidualNode node = tape.NewNode<ResidualNode>();
            node.Set(x, branch);
            tape.Record(node, y);
        }

        return y;
    }

    private sealed class ResidualNode : TapeNode
    {
        private Tensor? _x;
        private Tensor? _branch;

        public void Set(Tensor x, Tensor branch) => (_x, _branch) = (x, branch);

        protected internal override void Backward(Tape tape)
        {
            Tensor gradient = Tape.GradientOf(Output)!;
            tape.PassGradient(gradient, _branch!);
            tape.PassGradient(gradient, _x!);
            // From here on the two inputs hold it alone.
            gradient.ReleaseMemory();
        }

        protected internal override void Clear() => (_x, _branch) = (null, null);
    }
}
