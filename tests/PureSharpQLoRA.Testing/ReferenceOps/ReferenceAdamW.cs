using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Testing.ReferenceOps;

/// <summary>AdamW with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101).</summary>
public static class ReferenceAdamW
{
    /// <summary>One step in double, as algorithm 2 of the paper has it.</summary>
    public static void Step(double[] parameter, double[] gradient, double[] first, double[] second, AdamWStep step, double gradientScale)
    {
        for (int i = 0; i < parameter.Length; i++)
        {
            double g = gradient[i] * gradientScale;
            parameter[i] -= step.LearningRate * step.WeightDecay * parameter[i];
            first[i] = (step.Beta1 * first[i]) + ((1 - step.Beta1) * g);
            second[i] = (step.Beta2 * second[i]) + ((1 - step.Beta2) * g * g);
            double mean = first[i] / (1 - Math.Pow(step.Beta1, step.Step));
            double variance = second[i] / (1 - Math.Pow(step.Beta2, step.Step));
            parameter[i] -= step.LearningRate * mean / (Math.Sqrt(variance) + step.Epsilon);
        }
    }

    /// <summary>
    /// One step in single precision with a rounding after each of PyTorch's operations: mul_, lerp_, mul_ and addcmul_, sqrt and division by
    /// the root of the bias correction, add_ of epsilon, addcdiv_ (torch.optim.AdamW, not fused).
    /// </summary>
    public static void StepInSingle(float[] parameter, float[] gradient, float[] first, float[] second, AdamWStep step, float gradientScale)
    {
        float decay = (float)(1 - (step.LearningRate * step.WeightDecay));
        float weight = (float)(1 - step.Beta1), beta2 = (float)step.Beta2, value = (float)(1 - step.Beta2);
        float stepSize = (float)(step.LearningRate / (1 - Math.Pow(step.Beta1, step.Step)));
        float root = (float)Math.Sqrt(1 - Math.Pow(step.Beta2, step.Step));
        for (int i = 0; i < parameter.Length; i++)
        {
            float g = gradient[i] * gradientScale;
            parameter[i] *= decay;
            first[i] += weight * (g - first[i]);
            second[i] *= beta2;
            second[i] += value * (g * g);
            float denominator = (MathF.Sqrt(second[i]) / root) + (float)step.Epsilon;
            parameter[i] -= stepSize * (first[i] / denominator);
        }
    }
}
