namespace PureSharpQLoRA.Core;

/// <summary>
/// The trainable low-rank part of a linear layer: scale * (dropout(x)·Aᵀ)·Bᵀ (Hu et al. 2021, arXiv:2106.09685), and with a magnitude the
/// weight-decomposed form, DoRA (Liu et al. 2024, arXiv:2402.09353).
/// </summary>
/// <param name="A">[rank, inputs] fp32.</param>
/// <param name="B">[outputs, rank] fp32.</param>
/// <param name="Scale">alpha / rank, or alpha / sqrt(rank) for rsLoRA.</param>
/// <param name="Dropout">Probability of dropping an element of the adapter's input while training.</param>
/// <param name="Magnitude">[outputs] fp32 for DoRA, else null.</param>
public sealed record LowRankAdapter(Tensor A, Tensor B, float Scale, float Dropout = 0, Tensor? Magnitude = null)
{
    /// <summary>The rank of the update.</summary>
    public int Rank => A.Shape[0];

    /// <summary>Whether any part of it is trained.</summary>
    internal bool RequiresGradient => A.RequiresGradient || B.RequiresGradient || Magnitude is { RequiresGradient: true };
}

/// <summary>The one linear operation: frozen or trainable base, optional bias, optional adapter.</summary>
public static class LinearOps
{
    /// <summary>y = x·Wᵀ + bias + adapter(x).</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[tokens, inputs].</param>
    /// <param name="weight">[outputs, inputs], dense or NF4.</param>
    /// <param name="bias">[outputs] fp32, or null.</param>
    /// <param name="adapter">The low-rank part, or null.</param>
    /// <returns>[tokens, outputs].</returns>
    /// <exception cref="ShapeException">The operands do not fit.</exception>
    public static Tensor Linear(this Tape tape, Tensor x, Tensor weight, Tensor? bias = null, LowRankAdapter? adapter = null) =>
        Linear(tape, x, weight, bias, adapter, unread: false);

    /// <summary>residual + x·Wᵀ + bias + adapter(x), the last operation of a block's half.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="residual">[tokens, outputs], kept.</param>
    /// <param name="x">[tokens, inputs].</param>
    /// <param name="weight">[outputs, inputs], dense or NF4.</param>
    /// <param name="bias">[outputs] fp32, or null.</param>
    /// <param name="adapter">The low-rank part, or null.</param>
    /// <returns>[tokens, outputs].</returns>
    /// <exception cref="ShapeException">The operands do not fit.</exception>
    public static Tensor ResidualLinear(this Tape tape, Tensor residual, Tensor x, Tensor weight, Tensor? bias = null, LowRankAdapter? adapter = null)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Residual(residual, Linear(tape, x, weight, bias, adapter, tape.IsResultUnread));
    }

    private static Tensor Linear(Tape tape, Tensor x, Tensor weight, Tensor? bias, LowRankAdapter? adapter, bool unread)
    {
        ArgumentNullException.ThrowIfNull(tape);
        Check(x, weight, bias, adapter);
        // Where nobody reads the result, only what its gradient needs is computed; that of DoRA's magnitude needs the product.
        unread &= adapter?.Magnitude is null;
        var shape = new Shape(x.Shape.Rows, weight.Shape[0]);
        Tensor y = unread ? tape.NewUnread(shape) : tape.NewTensor(shape);
        bool recorded = tape.IsRecording
            && (x.RequiresGradient || weight.RequiresGradient || bias is { RequiresGradient: true } || adapter is { RequiresGradient: true });
        if (adapter?.Magnitude is not null)
        {
            DoraOps.Forward(tape, x, weight, bias, adapter, y, recorded);
            return y;
        }

        Tensor? low = null;
        ulong dropoutSeed = 0;
        if (adapter is not null)
        {
            low = AdapterLow(tape, x, adapter, out dropoutSeed);
        }

        if (!unread)
        {
            tape.Backend.MatMulTransposed(x, weight, y, term: low is null ? null : new LowRankTerm(low, adapter!.B));
            if (bias is not null)
            {
                tape.Backend.AddBias(y, bias);
            }
        }

        if (recorded)
        {
            LinearNode node = tape.NewNode<LinearNode>();
            node.Set(x, weight, bias, adapter, low, dropoutSeed);
            tape.Record(node, y);
        }
        else
        {
            low?.ReleaseMemory();
        }

        return y;
    }

    /// <summary>scale * dropout(x)·Aᵀ, and the seed of the dropout (0 for none).</summary>
    internal static Tensor AdapterLow(Tape tape, Tensor x, LowRankAdapter adapter, out ulong dropoutSeed)
    {
        Tensor low = tape.NewTensor(new Shape(x.Shape.Rows, adapter.Rank));
        dropoutSeed = tape.IsTraining && adapter.Dropout > 0 ? tape.NextRandomSeed() : 0;
        if (dropoutSeed == 0)
        {
            tape.Backend.MatMulTransposed(x, adapter.A, low, adapter.Scale);
            return low;
        }

        Tensor dropped = tape.NewTensor(x.Shape);
        tape.Backend.Dropout(x, dropped, adapter.Dropout, dropoutSeed, accumulate: false);
        tape.Backend.MatMulTransposed(dropped, adapter.A, low, adapter.Scale);
        dropped.ReleaseMemory();
        return low;
    }

    /// <summary>Gradients of an adapter and, where <paramref name="x"/> needs it, of its input; the base's part of that goes along in the same product.</summary>
    internal static void AdapterBackward(Tape tape, Tensor gradient, Tensor x, Tensor weight, LowRankAdapter adapter, Tensor low, ulong dropoutSeed)
    {
        IBackend backend = tape.Backend;
        if (adapter.B.RequiresGradient)
        {
            Tensor gradientB = tape.GradientFor(adapter.B, out bool accumulateB);
            backend.MatMulGradient(gradient, low, gradientB, accumulateB);
        }

        Tensor lowGradient = tape.NewTensor(low.Shape);
        backend.MatMul(gradient, adapter.B, lowGradient, adapter.Scale);
        if (x.RequiresGradient)
        {
            Tensor target = tape.GradientFor(x, out bool accumulate);
            if (dropoutSeed == 0)
            {
                backend.MatMul(gradient, weight, target, 1, accumulate, new LowRankTerm(lowGradient, adapter.A));
            }
            else
            {
                backend.MatMul(gradient, weight, target, 1, accumulate);
                Tensor droppedGradient = tape.NewTensor(x.Shape);
                backend.MatMul(lowGradient, adapter.A, droppedGradient);
                backend.Dropout(droppedGradient, target, adapter.Dropout, dropoutSeed, accumulate: true);
                droppedGradient.ReleaseMemory();
            }
        }

        if (adapter.A.RequiresGradient)
        {
            Tensor gradientA = tape.GradientFor(adapter.A, out bool accumulateA);
            Tensor input = tape.Saved(x);
            if (dropoutSeed == 0)
            {
                backend.MatMulGradient(lowGradient, input, gradientA, accumulateA);
            }
            else
            {
                Tensor dropped = tape.NewTensor(x.Shape);
                backend.Dropout(input, dropped, adapter.Dropout, dropoutSeed, accumulate: false);
                backend.MatMulGradient(lowGradient, dropped, gradientA, accumulateA);
                dropped.ReleaseMemory();
            }
        }

        lowGradient.ReleaseMemory();
    }

    private static void Check(Tensor x, Tensor weight, Tensor? bias, LowRankAdapter? adapter)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ShapeException.ThrowIfColumnsNot(x, weight.Shape.Columns, "Linear", "x");
        if (bias is not null)
        {
            ShapeException.ThrowIfNot(bias, new Shape(weight.Shape[0]), "Linear", "bias");
        }

        if (adapter is not null)
        {
            ShapeException.ThrowIfNot(adapter.A, new Shape(adapter.Rank, weight.Shape[1]), "Linear", "A of the adapter");
            ShapeException.ThrowIfNot(adapter.B, new Shape(weight.Shape[0], adapter.Rank), "Linear", "B of the adapter");
        }
    }

    private sealed class LinearNode : TapeNode
    {
        private Tensor? _x;
        private Tensor? _weight;
        private Tensor? _bias;
        private LowRankAdapter? _adapter;
        private Tensor? _low;
        private ulong _dropoutSeed;

        public void Set(Tensor x, Tensor weight, Tensor? bias, LowRankAdapter? adapter, Tensor? low, ulong dropoutSeed) =>
            (_x, _weight, _bias, _adapter, _low, _dropoutSeed) = (x, weight, bias, adapter, low, dropoutSeed);

        protected internal override void Backward(Tape tape)
        {
            Tensor gradient = Tape.GradientOf(Output)!;
            Tensor x = _x!, weight = _weight!;
            if (_adapter is not null)
            {
                AdapterBackward(tape, gradient, x, weight, _adapter, _low!, _dropoutSeed);
            }
            else if (x.RequiresGradient)
            {
                Tensor target = tape.GradientFor(x, out bool accumulate);
                tape.Backend.MatMul(gradient, weight, target, 1, accumulate);
            }

            if (weight.RequiresGradient)
            {
                Tensor target = tape.GradientFor(weight, out bool accumulate);
                tape.Backend.MatMulGradient(gradient, tape.Saved(x), target, accumulate);
            }

            if (_bias is { RequiresGradient: true })
            {
                Tensor target = tape.GradientFor(_bias, out bool accumulate);
                tape.Backend.SumRows(gradient, target, accumulate);
            }
        }

        protected internal override void Clear()
        {
            _low?.ReleaseMemory();
            (_x, _weight, _bias, _adapter, _low) = (null, null, null, null, null);
        }
    }
}
