namespace PureSharpQLoRA.Core;

/// <summary>One step of AdamW with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101), in PyTorch's order of operations.</summary>
/// <param name="LearningRate">The rate of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root, outside of it.</param>
/// <param name="WeightDecay">p -= rate * decay * p, first of all.</param>
/// <param name="Step">Counts from 1, for the bias correction.</param>
public readonly record struct AdamWStep(double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, int Step);

public partial interface IBackend
{
    /// <summary>
    /// The global norm of gradients and what follows from it, left on the device, so that the updates can be issued before anybody has read it:
    /// see <see cref="StepControl"/>. The same bits every time.
    /// </summary>
    /// <param name="gradients">fp32; squares are summed in double.</param>
    /// <param name="lossScale">What the gradients were multiplied by.</param>
    /// <param name="maxNorm">Where clipping begins, 0 for nowhere.</param>
    /// <param name="control">[4] fp32: norm, factor, whether all are finite, the first that is not.</param>
    void GradientNorm(ReadOnlySpan<Tensor> gradients, float lossScale, float maxNorm, Tensor control);

    /// <summary>
    /// Updates a parameter and its two moments, all fp32 of one shape, with the gradient times the factor in <paramref name="control"/>.
    /// Changes nothing where that says that a gradient is not finite.
    /// </summary>
    void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step, Tensor control);

    /// <summary>As <see cref="AdamW"/>, with moments in 8 bits: see <see cref="Quantization.EightBitMoments"/>.</summary>
    /// <param name="parameter">fp32.</param>
    /// <param name="gradient">fp32, of the parameter's shape.</param>
    /// <param name="firstCodes">UInt8, of the parameter's shape.</param>
    /// <param name="firstMaxima">[blocks] fp32.</param>
    /// <param name="secondCodes">UInt8, of the parameter's shape.</param>
    /// <param name="secondMaxima">[blocks] fp32.</param>
    /// <param name="step">The factors.</param>
    /// <param name="control">What <see cref="GradientNorm"/> left.</param>
    void AdamW8Bit(
        Tensor parameter, Tensor gradient, Tensor firstCodes, Tensor firstMaxima, Tensor secondCodes, Tensor secondMaxima, in AdamWStep step, Tensor control);
}

/// <summary>What <see cref="IBackend.GradientNorm"/> found, as it lies in the four elements of a control tensor.</summary>
/// <param name="Norm">The norm of all gradients over the loss scale.</param>
/// <param name="Factor">What every gradient is multiplied by: 1 / lossScale * min(1, maxNorm / (norm + 1e-6)).</param>
/// <param name="IsFinite">Stored as 1 when all gradients are finite, else 0: then nothing is updated.</param>
/// <param name="FirstNotFinite">The index of the first gradient with an element that is not finite, else -1.</param>
public readonly record struct StepControl(float Norm, float Factor, bool IsFinite, int FirstNotFinite)
{
    /// <summary>The shape of a control tensor.</summary>
    public static Shape Shape => new(4);

    /// <summary>The control of gradients whose squares sum to <paramref name="squares"/>.</summary>
    public static StepControl From(double squares, int firstNotFinite, float lossScale, float maxNorm)
    {
        double norm = Math.Sqrt(squares) / lossScale;
        double clip = maxNorm > 0 ? Math.Min(1, maxNorm / (norm + 1e-6)) : 1;
        return new StepControl((float)norm, (float)(clip / lossScale), firstNotFinite < 0, firstNotFinite);
    }

    /// <summary>Reads a control tensor; waits for the device.</summary>
    public static StepControl Read(IBackend backend, Tensor control)
    {
        Span<float> values = stackalloc float[4];
        backend.Download(control, values);
        return new StepControl(values[0], values[1], values[2] != 0, (int)values[3]);
    }

    /// <summary>The four elements as they are stored.</summary>
    public void CopyTo(Span<float> to) => (to[0], to[1], to[2], to[3]) = (Norm, Factor, IsFinite ? 1 : 0, FirstNotFinite);
}
