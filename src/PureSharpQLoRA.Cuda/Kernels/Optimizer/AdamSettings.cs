using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Cuda.Kernels.Optimizer;

/// <summary>One step's constants of AdamW, formed in double and rounded once, as PyTorch forms its scalars.</summary>
internal struct AdamSettings
{
    /// <summary>1 - rate * weight decay.</summary>
    public float Decay;

    /// <summary>The second beta, and one minus either.</summary>
    public float Beta2, Rest1, Rest2;

    /// <summary>rate / (1 - beta1^step), and sqrt(1 - beta2^step).</summary>
    public float StepSize, RootCorrection;

    /// <summary>Added to the root, outside of it.</summary>
    public float Epsilon;

    public AdamSettings(in AdamWStep step)
    {
        Decay = (float)(1 - (step.LearningRate * step.WeightDecay));
        Beta2 = (float)step.Beta2;
        Rest1 = (float)(1 - step.Beta1);
        Rest2 = (float)(1 - step.Beta2);
        StepSize = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
        RootCorrection = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
        Epsilon = (float)step.Epsilon;
    }
}
