namespace PureSharpQLoRA.Core;

/// <summary>One step of AdamW with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101), in PyTorch's order of operations.</summary>
/// <param name="LearningRate">The rate of this step.</param>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root, outside of it.</param>
/// <param name="WeightDecay">p -= rate * decay * p, first of all.</param>
/// <param name="Step">Counts from 1, for the bias correction.</param>
/// <param name="GradientScale">Factor on the gradient: what clipping left of it.</param>
public readonly record struct AdamWStep(
    double LearningRate, double Beta1, double Beta2, double Epsilon, double WeightDecay, int Step, float GradientScale);

public partial interface IBackend
{
    /// <summary>Updates a parameter and its two moments, all fp32 of one shape.</summary>
    void AdamW(Tensor parameter, Tensor gradient, Tensor firstMoment, Tensor secondMoment, in AdamWStep step);

    /// <summary>The sum of the squares of an fp32 tensor, in double; not finite if an element is not.</summary>
    double SumOfSquares(Tensor x);
}
