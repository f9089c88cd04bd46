namespace PureSharpQLoRA.Core;

public partial interface IBackend
{
    /// <summary>norms[n] = ||weight[n, :] + scale * (B·A)[n, :]||, the norm of each row of the adapted weight.</summary>
    /// <param name="weight">[outputs, inputs], dense or NF4.</param>
    /// <param name="a">[rank, inputs] fp32.</param>
    /// <param name="b">[outputs, rank] fp32.</param>
    /// <param name="scale">Factor of the adapter.</param>
    /// <param name="norms">[outputs] fp32.</param>
    void AdaptedRowNorms(Tensor weight, Tensor a, Tensor b, float scale, Tensor norms);

    /// <summary>y[i, n] = x[i, n] * numerator[n] / denominator[n]. x and y in the activation type, y may be x; the factors fp32.</summary>
    void ScaleColumns(Tensor x, Tensor numerator, Tensor denominator, Tensor y);

    /// <summary>result[n] (+)= sum over i of x[i, n] * y[i, n] / denominator[n]. x and y in the activation type; denominator and result fp32.</summary>
    void ColumnDots(Tensor x, Tensor y, Tensor denominator, Tensor result, bool accumulate);
}

/// <summary>
/// Weight-decomposed adaptation as PEFT computes it: y = m / ||W + sBA|| * (x·Wᵀ + s (x·Aᵀ)·Bᵀ), the norm a constant for the gradient
/// (Liu et al. 2024, arXiv:2402.09353, section 4.3).
/// </summary>
internal static class DoraOps
{
    public static void Forward(Tape tape, Tensor x, Tensor weight, Tensor? bias, LowRankAdapter adapter, Tensor y, bool recorded)
    {
        if (tape.IsTraining && adapter.Dropout > 0)
        {
            throw new NotSupportedException("DoRA cannot be trained with lora_dropout above 0; set lora_dropout to 0.");
        }

        IBackend backend = tape.Backend;
        Tensor magnitude = adapter.Magnitude!;
        ShapeException.ThrowIfNot(magnitude, new Shape(weight.Shape[0]), "Linear", "magnitude of the adapter");
        Tensor norms = tape.NewTensor(magnitude.Shape, DataType.Float32);
        backend.AdaptedRowNorms(weight, adapter.A, adapter.B, adapter.Scale, norms);
        Tensor low = LinearOps.AdapterLow(tape, x, adapter, out ulong dropoutSeed);
        Tensor sum = recorded ? tape.NewTensor(y.Shape) : y;
        backend.MatMulTransposed(x, weight, sum, term: new LowRankTerm(low, adapter.B));
        backend.ScaleColumns(sum, magnitude, norms, y);
        if (bias is not null)
        {
            backend.AddBias(y, bias);
        }

        if (!recorded)
        {
            low.ReleaseMemory();
            norms.ReleaseMemory();
            return;
        }

        DoraNode node = tape.NewNode<DoraNode>();
        node.Set(x, weight, bias, adapter, low, sum, norms, dropoutSeed);
        tape.Record(node, y);
    }

    private sealed class DoraNode : TapeNode
    {
        private Tensor? _x;
        private Tensor? _weight;
        private Tensor? _bias;
        private LowRankAdapter? _adapter;
        private Tensor? _low;
        private Tensor? _sum;
        private Tensor? _norms;
        private ulong _dropoutSeed;

        public void Set(Tensor x, Tensor weight, Tensor? bias, LowRankAdapter adapter, Tensor low, Tensor sum, Tensor norms, ulong dropoutSeed) =>
            (_x, _weight, _bias, _adapter, _low, _sum, _norms, _dropoutSeed) = (x, weight, bias, adapter, low, sum, norms, dropoutSeed);

        protected internal override void Backward(Tape tape)
        {
            Tensor gradient = tape.OwnGradientOf(Output);
            Tensor magnitude = _adapter!.Magnitude!;
            if (_bias is { RequiresGradient: true })
            {
                Tensor dBias = tape.GradientFor(_bias, out bool accumulateBias);
                tape.Backend.SumRows(gradient, dBias, accumulateBias);
            }

            if (magnitude.RequiresGradient)
            {
                Tensor target = tape.GradientFor(magnitude, out bool accumulate);
                tape.Backend.ColumnDots(gradient, _sum!, _norms!, target, accumulate);
            }

            _sum!.ReleaseMemory();
            tape.Backend.ScaleColumns(gradient, magnitude, _norms!, gradient);
            LinearOps.AdapterBackward(tape, gradient, _x!, _weight!, _adapter, _low!, _dropoutSeed);
            if (_weight!.RequiresGradient)
            {
                Tensor target = tape.GradientFor(_weight, out bool accumulate);
                tape.Backend.MatMulGradient(gradient, tape.Saved(_x!), target, accumulate);
            }
        }

        protected internal override void Clear()
        {
            _low?.ReleaseMemory();
            _sum?.ReleaseMemory();
            _norms?.ReleaseMemory();
            (_x, _weight, _bias, _adapter, _low, _sum, _norms) = (null, null, null, null, null, null, null);
        }
    }
}
