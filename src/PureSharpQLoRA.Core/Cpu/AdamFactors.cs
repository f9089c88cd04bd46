namespace PureSharpQLoRA.Core.Cpu;

/// <summary>The factors of an AdamW step, formed in double and rounded once, as PyTorch forms its scalars.</summary>
internal readonly struct AdamFactors(in AdamWStep step, float gradientScale)
{
    public readonly float GradientScale = gradientScale;
    public readonly float Decay = (float)(1 - (step.LearningRate * step.WeightDecay));
    public readonly float OneMinusBeta1 = (float)(1 - step.Beta1);
    public readonly float Beta2 = (float)step.Beta2;
    public readonly float OneMinusBeta2 = (float)(1 - step.Beta2);
    public readonly float StepSize = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
    public readonly float RootCorrection = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
    public readonly float Epsilon = (float)step.Epsilon;
}
