namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>y = silu(gate) * up, with silu(g) = g / (1 + e^-g). All in the activation type.</summary>
    void SwiGlu(Tensor gate, Tensor up, Tensor y);

    /// <summary>The gradients of <see cref="SwiGlu"/>, overwriting dGate and dUp. All in the activation type; dUp may be dy.</summary>
    void SwiGluBackward(Tensor gate, Tensor up, Tensor dy, Tensor dGate, Tensor dUp);
}

/// <summary>The gated activation of Llama's MLP (Shazeer 2020, arXiv:2002.05202).</summary>
public static class SwiGluOps
{
    /// <summary>silu(gate) * up.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="gate">[tokens, intermediate].</param>
    /// <param name="up">[tokens, intermediate].</param>
    public static Tensor SwiGlu(this Tape tape, Tensor gate, Tensor up)
    {
        ArgumentNullException.ThrowIfNull(tape);
        ArgumentNullException.ThrowIfNull(gate);
        ShapeException.ThrowIfNot(up, gate.Shape, "SwiGlu", "up");
        Tensor y = tape.NewTensor(gate.Shape);
        tape.Backend.SwiGlu(gate, up, y);
        if (tape.IsRecording && (gate.RequiresGradient || up.RequiresGradient))
        {
            SwiGluNode node = tape.NewNode<SwiGluNode>();
            node.Set(gate, up);
            tape.Record(node, y);
        }

        return y;
    }

    private sealed class SwiGluNode : TapeNode
    {
        private Tensor? _gate;
        private Tensor? _up;

        protected internal override bool CanRecompute => true;

        public void Set(Tensor gate, Tensor up) => (_gate, _up) = (gate, up);

        protected internal override void Recompute(Tape tape) => tape.Backend.SwiGlu(tape.Saved(_gate!), tape.Saved(_up!), Output);

        protected internal override void Backward(Tape tape)
        {
            // All readers of the result are done; gate and up are read here for the last time, so their gradients are computed in fresh memory and passed on.
            Output.ReleaseMemory();
            Tensor gradient = tape.OwnGradientOf(Output);
            Tensor gate = tape.Saved(_gate!), up = tape.Saved(_up!);
            Tensor dGate = tape.NewTensor(gate.Shape);
            tape.Backend.SwiGluBackward(gate, up, gradient, dGate, gradient);
            tape.PassGradient(dGate, gate);
            tape.PassGradient(gradient, up);
            dGate.ReleaseMemory();
        }

        protected internal override void Clear() => (_gate, _up) = (null, null);
    }
}
