using PureSharpQLoRA.Core;

namespace PureSharpQLoRA.Transformers;

/// <summary>A trainable weight: fp32 values that the optimizer updates.</summary>
/// <param name="Name">The full path, as in weight files.</param>
/// <param name="Value">The values.</param>
/// <param name="HasWeightDecay">Whether weight decay applies; not for norms and biases.</param>
public sealed record Parameter(string Name, Tensor Value, bool HasWeightDecay)
{
    /// <summary>Whether it is the matrix B of a LoRA adapter, which LoRA+ gives a learning rate of its own.</summary>
    public bool IsLoraB { get; init; }

    /// <summary>Gives the parameter a gradient buffer that stays, so that the micro-batches of a step add up in it.</summary>
    /// <param name="scope">Owns the gradient.</param>
    public void AllocateGradient(TensorScope scope)
    {
        ArgumentNullException.ThrowIfNull(scope);
        Value.RequiresGradient = true;
        Value.UseGradient(scope.Allocate(Value.Shape));
    }

    /// <summary>Makes the parameter a constant again.</summary>
    public void ReleaseGradient()
    {
        Value.RequiresGradient = false;
        Value.UseGradient(null);
    }
}
