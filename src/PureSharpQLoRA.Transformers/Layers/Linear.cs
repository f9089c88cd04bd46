using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>
/// A linear layer, y = x·Wᵀ + b. Whether the weight is dense or NF4, frozen or trained, and whether an adapter is active, is not the business of
/// the layers around it.
/// </summary>
public sealed class Linear : Module
{
    internal Linear(string path, Tensor weight, Tensor? bias) => (Path, Weight, Bias) = (path, weight, bias);

    /// <summary>The full name without ".weight", for example "model.layers.0.self_attn.q_proj".</summary>
    public string Path { get; }

    /// <summary>[outputs, inputs], dense or NF4.</summary>
    public Tensor Weight { get; }

    /// <summary>[outputs] fp32, or null.</summary>
    public Tensor? Bias { get; }

    /// <summary>Width of the inputs.</summary>
    public int Inputs => Weight.Shape[1];

    /// <summary>Width of the outputs.</summary>
    public int Outputs => Weight.Shape[0];

    /// <summary>The adapter in use, or null.</summary>
    public LowRankAdapter? Adapter { get; internal set; }

    /// <summary>Maps [tokens, inputs] to [tokens, outputs].</summary>
    public Tensor Forward(Tape tape, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.Linear(x, Weight, Bias, Adapter);
    }

    /// <summary>residual + <see cref="Forward"/>(x): the end of a block's half, [tokens, outputs].</summary>
    public Tensor AddTo(Tape tape, Tensor residual, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(tape);
        return tape.ResidualLinear(residual, x, Weight, Bias, Adapter);
    }
}
