using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>Root mean square normalisation with a learnt scale.</summary>
public sealed class RmsNorm : Module
{
    private readonly float _epsilon;

    internal RmsNorm(Tensor weight, float epsilon) => (Weight, _epsilon) = (weight, epsilon);

    /// <summary>[size] fp32.</summary>
    public Tensor Weight { get; }

    /// <summary>Normalises each group of size values.</summary>
    /// <param name="tape">The tape.</param>
    /// <param name="x">[tokens, groups * size].</param>
    public Tensor Forward(Tape tape, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.RmsNorm(x, Weight, _epsilon);
    }
}
